"use strict";
// The page is whole without this: it adds a switch of colours, and reads out what is below the pointer or the arrow keys.
(() => {
  const root = document.documentElement;
  const button = document.getElementById("theme");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : dark.matches);
  const show = () => {
    button.querySelector("span").textContent = isDark() ? "light" : "dark";
    button.setAttribute("aria-label", isDark() ? "Switch to light colours" : "Switch to dark colours");
  };
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    show();
  });
  dark.addEventListener("change", show);
  button.hidden = false;
  show();

  for (const figure of document.querySelectorAll("figure")) {
    const bands = [...figure.querySelectorAll(".band, .part > title")].map((each) => each.closest("rect"));
    const readout = figure.querySelector(".readout");
    const place = figure.querySelector(".scroll");
    let at = -1;
    const go = (next) => {
      bands[at]?.classList.remove("here");
      at = next;
      bands[at]?.classList.add("here");
      readout.textContent = bands[at]?.querySelector("title")?.textContent ?? "";
    };
    bands.forEach((band, index) => band.addEventListener("pointerenter", () => go(index)));
    place.addEventListener("pointerleave", () => go(-1));
    place.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step || bands.length === 0) return;
      go(Math.min(bands.length - 1, Math.max(0, at + step)));
      event.preventDefault();
    });
  }
})();
