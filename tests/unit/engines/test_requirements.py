"""What a chain requires, fetched by a real pip from a folder of wheels."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

from toolkit import catalog
from toolkit.engines import requirements
from toolkit.engines.local.engine import LocalEngine
from toolkit.errors import EngineError, UsageError
from toolkit.judging import SITE
from toolkit.results import Load
from toolkit.run import Order, plan_of
from toolkit.sdk import loading
from toolkit.spec.model import ChainSpec


def wheel(folder: Path, name: str, version: str = "1.0", needs: str = "") -> None:
    """A wheel of one module that says its version."""
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as file:
        info = f"{name}-{version}.dist-info"
        file.writestr(f"{name}.py", f"VERSION = {version!r}\n")
        needed = f"Requires-Dist: {needs}\n" if needs else ""
        file.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needed}")
        file.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(f"{info}/RECORD", "")


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all of pip's index, and a cache that is empty."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("PYTHONPATH", raising=False)
    return folder


def chain(folder: Path, *requires: str, env: str = "{}") -> ChainSpec:
    folder.mkdir(exist_ok=True)
    (folder / "handlers.py").write_text("import kn_needed\n\nasync def work(ctx, request):\n    return 'done'\n")
    (folder / "chain.yaml").write_text(
        f"name: needy\nfunctions:\n  work: {{handler: 'handlers.py:work', env: {env}}}\nrequires: {list(requires)}\n"
    )
    return catalog.load(str(folder))


def found_by(variables: dict[str, str], code: str) -> str:
    environment = {**os.environ, **variables}
    code = f"import os, sys; sys.path += filter(None, [os.environ.get({SITE!r})]); {code}"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    return (done.stdout or done.stderr).strip().splitlines()[-1]


def silent(text: str) -> None:
    """Nobody listens."""


def test_what_is_installed_here_is_not_lacking() -> None:
    assert requirements.lacking(["PyYAML>=6", "pytest"]) == []


def test_what_is_installed_in_another_version_is_lacking() -> None:
    assert requirements.lacking(["PyYAML>=6", "PyYAML<2", "kn-needed"]) == ["PyYAML<2", "kn-needed"]


def test_an_extra_is_lacking_when_what_it_needs_is() -> None:
    assert requirements.lacking(["hypothesis[pandas]", "kn-bench[stubs]"]) == ["hypothesis[pandas]"]


def test_what_is_no_requirement_is_refused() -> None:
    with pytest.raises(UsageError, match="is no pip requirement"):
        requirements.lacking(["pillow>=one.*.two"])


async def test_a_chain_is_refused_before_anything_starts_and_told_what_to_do(wheels: Path, tmp_path: Path) -> None:
    plan = plan_of(Order(chain(tmp_path / "needy", "kn-needed>=1"), Load(requests=1)))
    with pytest.raises(EngineError, match="needy needs kn-needed>=1, which this environment does not have") as refused:
        await LocalEngine().deploy(plan, receipts=None)
    assert "--install" in str(refused.value.next_step)


def test_what_is_fetched_is_found_by_those_who_are_told_and_by_nobody_else(wheels: Path, tmp_path: Path) -> None:
    wheel(wheels, "kn_needed", needs="kn-deeper")
    wheel(wheels, "kn_deeper", "2.0")
    needy = chain(tmp_path / "needy", "kn-needed>=1")
    assert requirements.environment(needy) == {}
    requirements.install(needy, silent)
    requirements.see_that_they_are_here(needy)
    told = requirements.environment(needy)
    assert found_by(told, "import kn_needed, kn_deeper; print(kn_needed.VERSION, kn_deeper.VERSION)") == "1.0 2.0"
    assert found_by({}, "import kn_needed") == "ModuleNotFoundError: No module named 'kn_needed'"


def test_nothing_that_is_here_lies_in_the_folder_in_any_version(wheels: Path, tmp_path: Path) -> None:
    wheel(wheels, "kn_needed", needs="PyYAML>=6")
    wheel(wheels, "pyyaml", "99.0")
    needy = chain(tmp_path / "needy", "kn-needed")
    requirements.install(needy, silent)
    place = requirements.folder(needy.requires)
    assert place is not None
    assert [each.metadata["Name"] for each in metadata.distributions(path=[str(place)])] == ["kn_needed"]


def test_what_would_need_another_version_than_the_one_that_is_here_is_not_fetched(wheels: Path, tmp_path: Path) -> None:
    wheel(wheels, "kn_needed", needs="PyYAML>=99")
    wheel(wheels, "pyyaml", "99.0")
    with pytest.raises(EngineError, match=r"(?i)pyyaml>=99"):
        requirements.install(chain(tmp_path / "needy", "kn-needed"), silent)


def test_a_pip_that_fails_is_told_with_its_last_words_and_leaves_nothing(wheels: Path, tmp_path: Path) -> None:
    needy = chain(tmp_path / "needy", "kn-needed>=1")
    with pytest.raises(EngineError, match="No matching distribution found for kn-needed") as refused:
        requirements.install(needy, silent)
    assert refused.value.next_step is not None
    assert [each.suffix for each in (tmp_path / "cache" / "kn-bench" / "requires").iterdir()] == [".lock"]


def test_what_was_ended_in_the_middle_is_begun_anew(wheels: Path, tmp_path: Path) -> None:
    wheel(wheels, "kn_needed")
    needy = chain(tmp_path / "needy", "kn-needed")
    place = requirements.folder(needy.requires)
    assert place is not None
    half = place.with_suffix(".partial")
    half.mkdir(parents=True)
    (half / "kn_needed.py").write_text("half a file")
    requirements.install(needy, silent)
    assert found_by(requirements.environment(needy), "import kn_needed; print(kn_needed.VERSION)") == "1.0"


def test_of_two_who_want_the_same_at_once_one_fetches_it(wheels: Path, tmp_path: Path) -> None:
    wheel(wheels, "kn_needed")
    needy, told = chain(tmp_path / "needy", "kn-needed"), list[str]()
    both = [threading.Thread(target=requirements.install, args=(needy, told.append)) for _ in range(2)]
    for each in both:
        each.start()
    for each in both:
        each.join()
    assert len([line for line in told if "fetching" in line]) == 1
    requirements.see_that_they_are_here(needy)


def test_another_set_has_a_folder_of_its_own(wheels: Path) -> None:
    assert requirements.folder(["a", "b"]) == requirements.folder(["b", "a"])
    assert requirements.folder(["a", "b"]) != requirements.folder(["a"])


def test_a_cache_that_cannot_be_written_is_told(wheels: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("no folder")
    with pytest.raises(EngineError, match="cannot be written"):
        requirements.install(chain(tmp_path / "needy", "kn-needed"), silent)


def test_a_library_shadows_neither_the_standard_library_nor_a_path_of_the_users_own(
    wheels: Path, tmp_path: Path
) -> None:
    wheel(wheels, "colorsys")
    needy = chain(tmp_path / "needy", "colorsys", env="{PYTHONPATH: /own}")
    requirements.install(needy, silent)
    assert set(requirements.environment(needy)) == {SITE} == {loading.SITE}
    assert found_by(requirements.environment(needy), "import colorsys; print(hasattr(colorsys, 'VERSION'))") == "False"


def test_a_cache_is_made_for_this_user_alone(wheels: Path, tmp_path: Path) -> None:
    wheel(wheels, "kn_needed")
    needy = chain(tmp_path / "needy", "kn-needed")
    before = os.umask(0)
    try:
        requirements.install(needy, silent)
    finally:
        os.umask(before)
    place = requirements.folder(needy.requires)
    assert place is not None
    assert [stat.S_IMODE(each.stat().st_mode) for each in (place, *place.parents[:2])] == [0o700] * 3


@pytest.mark.parametrize("above", [0, 1, 2])
@pytest.mark.parametrize("mode", [0o777, 0o770, 0o702])
def test_a_cache_that_others_can_write_is_not_used(wheels: Path, tmp_path: Path, above: int, mode: int) -> None:
    needy = chain(tmp_path / "needy", "kn-needed")
    place = cached(needy)
    (place, *place.parents)[above].chmod(mode)
    refused(needy, "can be written by others, and nothing that somebody else may have put there is run")


def test_a_cache_of_another_user_is_not_used(wheels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needy = chain(tmp_path / "needy", "kn-needed")
    cached(needy)
    monkeypatch.setattr(os, "getuid", lambda: os.geteuid() + 1)
    refused(needy, "belongs to another user")


def test_a_cache_that_is_a_link_is_not_used(wheels: Path, tmp_path: Path) -> None:
    needy = chain(tmp_path / "needy", "kn-needed")
    place = cached(needy)
    place.rename(tmp_path / "elsewhere")
    place.symlink_to(tmp_path / "elsewhere")
    refused(needy, "is no folder but a link")


def cached(needy: ChainSpec) -> Path:
    place = requirements.folder(needy.requires)
    assert place is not None
    for each in (place.parent.parent, place.parent, place):
        each.mkdir(mode=0o700, parents=True)
    return place


def refused(needy: ChainSpec, why: str) -> None:
    for use in (requirements.environment, requirements.see_that_they_are_here):
        with pytest.raises(EngineError, match=why) as caught:
            use(needy)
        assert "XDG_CACHE_HOME" in str(caught.value.next_step)
    with pytest.raises(EngineError, match=why):
        requirements.install(needy, silent)


async def test_functions_of_the_local_engine_find_what_was_fetched(wheels: Path, tmp_path: Path) -> None:
    wheel(wheels, "kn_needed")
    needy = chain(tmp_path / "needy", "kn-needed")
    requirements.install(needy, silent)
    deployment = await LocalEngine().deploy(plan_of(Order(needy, Load(requests=1))), receipts=None)
    try:
        assert deployment.incidents() == []
    finally:
        await deployment.delete()
