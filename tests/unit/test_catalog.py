"""Chains are found by name, by folder and by file; what cannot be opened is named, with what to do next."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from toolkit import catalog
from toolkit.errors import Exit, SpecError, UsageError

CHAIN = 'name: own\nparameters: {length: 2}\nfunctions: {only: {handler: "handlers.py:run"}}\n'


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder `own` with a chain in it, below the working directory."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "chain.yaml").write_text(CHAIN, encoding="utf-8")
    (folder / "handlers.py").write_text("def run(): ...\n", encoding="utf-8")
    return folder


def refusal(chain: str, **overrides: str) -> UsageError:
    with pytest.raises(UsageError) as caught:
        catalog.load(chain, overrides)
    assert caught.value.exit is Exit.USAGE
    return caught.value


@pytest.mark.parametrize("name", catalog.names())
def test_every_chain_of_the_catalogue_can_be_used_and_is_called_like_its_folder(name: str) -> None:
    assert catalog.load(name).name == name


def test_the_catalogue_holds_the_three_chained_benchmarks() -> None:
    assert {"chained-serving", "chained-eventing", "chained-mixed"} <= set(catalog.names())


def test_a_checkout_uses_its_own_folders() -> None:
    root = Path(__file__).parents[2]
    assert catalog.benchmarks_folder() == root / "benchmarks"
    assert catalog.shipped("protos") == root / "protos"


def test_an_installed_toolkit_uses_what_came_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "site-packages" / "toolkit"
    (package / "shipped" / "benchmarks" / "own").mkdir(parents=True)
    (package / "shipped" / "benchmarks" / "own" / "chain.yaml").write_text(CHAIN, encoding="utf-8")
    (tmp_path / "site-packages" / "benchmarks").mkdir()  # somebody else's package
    monkeypatch.setattr(catalog, "_PACKAGE", package)
    assert catalog.shipped("templates") == package / "shipped" / "templates"
    assert catalog.names() == ["own"]


def test_a_chain_is_a_folder_or_its_file(own: Path) -> None:
    for chain in ("own", "./own", "own/", "own/chain.yaml", str(own), str(own / "chain.yaml")):
        assert catalog.load(chain).folder == str(own)


def test_a_chain_file_may_have_another_name(own: Path) -> None:
    (own / "chain.yaml").rename(own / "variant.yml")
    assert catalog.load("own/variant.yml").name == "own"


def test_the_working_directory_is_a_folder_too(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(own)
    assert catalog.load(".").name == "own"


def test_a_name_of_the_catalogue_goes_before_a_folder(own: Path) -> None:
    own.rename(own.parent / "chained-serving")
    assert catalog.load("chained-serving").name == "chained-serving"
    assert catalog.load("./chained-serving").name == "own"


def test_overrides_reach_the_chain(own: Path) -> None:
    assert catalog.load("own", {"length": "3"}).parameter("length") == 3
    assert str(refusal("own", lenght="3")) == "--set: no parameter named 'lenght' — did you mean 'length'?"


def test_an_unknown_name_gets_a_near_miss_and_where_the_list_is() -> None:
    error = refusal("chaind-serving")
    assert str(error) == "no chain, folder or file named 'chaind-serving' — did you mean 'chained-serving'?"
    assert str(refusal("nosuch")) == "no chain, folder or file named 'nosuch'"
    assert error.next_step == "see `toolkit list` for the chains of the catalogue"


def test_the_names_of_a_small_catalogue_are_told_where_none_is_near(monkeypatch: pytest.MonkeyPatch) -> None:
    few = {"one": Path("one"), "two": Path("two")}
    monkeypatch.setattr(catalog, "_files", lambda: few)
    assert str(refusal("nosuch")) == "no chain, folder or file named 'nosuch'; the catalogue holds one, two"
    assert str(refusal("twoo")) == "no chain, folder or file named 'twoo' — did you mean 'two'?"


@pytest.mark.parametrize("chain", ["", " ", "zzz", "no/such/folder", "no/such/chain.yaml"])
def test_what_is_not_there_is_quoted(chain: str) -> None:
    assert str(refusal(chain)).startswith(f"no chain, folder or file named {chain!r}")


@pytest.mark.parametrize("chain", ["a\0b", "a" * 5000, "\ud800"])
def test_what_no_file_can_be_called_is_refused(chain: str) -> None:
    assert len(str(refusal(chain))) < 300


def test_a_folder_without_a_chain_says_so(tmp_path: Path) -> None:
    assert str(refusal(str(tmp_path))) == f"the folder {tmp_path} holds no chain.yaml"


def test_a_folder_called_like_the_file_is_no_chain(own: Path) -> None:
    (own / "chain.yaml").unlink()
    (own / "chain.yaml").mkdir()
    assert str(refusal("own")) == "own/chain.yaml is no regular file"


def test_a_pipe_is_refused_and_not_waited_for(own: Path) -> None:
    (own / "chain.yaml").unlink()
    os.mkfifo(own / "chain.yaml")
    assert str(refusal("own")) == "own/chain.yaml is no regular file"


def test_a_device_is_refused() -> None:
    assert str(refusal("/dev/zero")) == "/dev/zero is no regular file"


def test_a_link_to_nothing_is_named(own: Path) -> None:
    (own / "chain.yaml").unlink()
    (own / "chain.yaml").symlink_to("gone.yaml")
    assert str(refusal("own")) == "own/chain.yaml cannot be read: no such file or directory"


def test_a_link_to_itself_is_named(own: Path) -> None:
    (own / "chain.yaml").unlink()
    (own / "chain.yaml").symlink_to("chain.yaml")
    assert str(refusal("own")) == "own/chain.yaml cannot be read: too many levels of symbolic links"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_named(own: Path) -> None:
    (own / "chain.yaml").chmod(0)
    assert str(refusal("own")) == "own/chain.yaml cannot be read: permission denied"


def test_a_file_that_is_too_long_is_refused_unread(own: Path) -> None:
    with (own / "chain.yaml").open("wb") as file:
        file.truncate(1 << 40)  # a sparse terabyte
    assert "a chain.yaml has at most 1,048,576" in str(refusal("own"))


def test_problems_name_the_file_as_the_user_sees_it(own: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    (own / "chain.yaml").write_text("name: Own\n" + CHAIN.split("\n", 1)[1], encoding="utf-8")
    assert str(refusal("own")).startswith("own/chain.yaml:1:7: name: 'Own' is not a DNS-1035 label")
    os.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert str(refusal(str(own))).startswith(f"{own}/chain.yaml:1:7: name: ")


def test_a_missing_handler_file_is_told_before_anything_runs(own: Path) -> None:
    (own / "handlers.py").unlink()
    error = refusal("own")
    assert isinstance(error, SpecError)
    assert str(error) == "own/chain.yaml: there is no file 'handlers.py' beside it, where 'only' has its handler"


def test_a_handler_in_a_package_is_not_looked_for(own: Path) -> None:
    (own / "chain.yaml").write_text(CHAIN.replace("handlers.py", "package.module"), encoding="utf-8")
    assert catalog.load("own").functions[0].handler == "package.module:run"
