"""`python -m tests.unit.manifests.golden` writes tests/golden/manifests/ anew. Read what changed before you commit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tests.unit.manifests.samples import NAMESPACE, VARIANTS, render, shipped
from toolkit import manifests

# What they say differs in kind; of the other benchmarks the manifests are held to Knative's schemas (test_crds).
CHAINS = ("chained-eventing", "chained-mixed", "chained-serving")
FOLDER = Path(__file__).parents[2] / "golden" / "manifests"


def texts() -> Iterator[tuple[str, str]]:
    """File name and text: each of the chains in every variant, and the tracing objects."""
    for chain in CHAINS:
        for variant in VARIANTS:
            yield f"{chain}.{variant}.yaml", manifests.text(render(shipped(chain), variant))
    yield "tracing.yaml", manifests.text(manifests.tracing(NAMESPACE))


def main() -> None:
    made = dict(texts())
    FOLDER.mkdir(parents=True, exist_ok=True)
    for stale in {each.name for each in FOLDER.glob("*.yaml")} - set(made):
        (FOLDER / stale).unlink()
    for name, text in made.items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    print(f"{len(made)} files in {FOLDER}")


if __name__ == "__main__":
    main()
