"""Several images of one build: what they share, what they are called, and how they are written together."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.unit.images.surroundings import SILENT, order
from toolkit.images import build, layout, names
from toolkit.images.model import Image

WIRINGS = {"one": b'{"function": "one"}\n', "two": b'{"function": "two"}\n'}
CALLED = {name: names.parse(f"dev.local/greetings-{name}") for name in WIRINGS}


@pytest.fixture
def images(base: Path, chain: Path, cache: Path) -> Iterator[Mapping[str, Image]]:
    with build.building_each(order(base, chain, cache), WIRINGS, CALLED, SILENT) as found:
        yield found


def test_they_differ_in_their_last_layer_only(images: Mapping[str, Image]) -> None:
    one, two = images.values()
    assert one.layers[:-1] == two.layers[:-1]
    assert {one.layers[-1].what, two.layers[-1].what} == {"wiring"}
    assert one.layers[-1].diff_id != two.layers[-1].diff_id


def test_they_share_a_tag_that_changes_with_any_of_them(
    images: Mapping[str, Image], base: Path, chain: Path, cache: Path
) -> None:
    (tag,) = {each.reference.rpartition(":")[2] for each in images.values()}
    assert images["one"].reference == f"dev.local/greetings-one:{tag}"
    other = {**WIRINGS, "two": b"{}\n"}
    with build.building_each(order(base, chain, cache), other, CALLED, SILENT) as found:
        assert found["one"].config == images["one"].config
        assert found["one"].reference != images["one"].reference


def test_a_tag_of_their_own_is_kept(base: Path, chain: Path, cache: Path) -> None:
    called = {name: names.parse(f"dev.local/greetings:{name}") for name in WIRINGS}
    with build.building_each(order(base, chain, cache), WIRINGS, called, SILENT) as found:
        assert [each.reference for each in found.values()] == ["dev.local/greetings:one", "dev.local/greetings:two"]


def test_one_tar_holds_them_all_and_what_they_share_once(images: Mapping[str, Image], tmp_path: Path) -> None:
    layout.write(list(images.values()), tmp_path / "all.tar")
    with tarfile.open(tmp_path / "all.tar") as tar:
        members = tar.getnames()
        file = tar.extractfile("manifest.json")
        assert file is not None
        docker = json.load(file)
    assert [each["RepoTags"] for each in docker] == [[each.reference] for each in images.values()]
    assert all(path in members for each in docker for path in (each["Config"], *each["Layers"]))
    assert len(members) == len(set(members))
    shared, own = len(images["one"].layers) - 1, 3  # its last layer, configuration and manifest
    assert len([each for each in members if each.startswith("blobs/sha256/")]) == shared + 2 * own


def test_a_layout_is_the_same_whether_it_was_there_or_not(images: Mapping[str, Image], tmp_path: Path) -> None:
    for name in ("new", "new", "old"):
        layout.write(list(images.values()), tmp_path / name)
    first, second = (json.loads((tmp_path / name / "index.json").read_text())["manifests"] for name in ("new", "old"))
    assert first == second
    assert len(first) == len(images)
