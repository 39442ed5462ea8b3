"""The manifests of every shipped chain for every engine, as a person has read them once.

`python -m tests.unit.manifests.golden` writes them anew.
"""

from __future__ import annotations

import pytest

from tests.unit.manifests import golden

TEXTS = dict(golden.texts())


@pytest.mark.parametrize("name", TEXTS)
def test_manifests_are_those_that_were_read(name: str) -> None:
    assert TEXTS[name] == (golden.FOLDER / name).read_text(encoding="utf-8"), "python -m tests.unit.manifests.golden"


def test_every_golden_file_is_made_by_something() -> None:
    assert {each.name for each in golden.FOLDER.iterdir()} == set(TEXTS)
