"""Small programs in place of kind, ctr and docker: they look into the tar as those do, and fail as those do."""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# Nothing is taken of a file that is no archive with named images in it.
TAKES = """
    import json, os, pathlib, sys, tarfile
    found, tars = [], [each for each in sys.argv[1:] if each.endswith(".tar")]
    for each in tars:
        with tarfile.open(each) as tar:
            found += [name for image in json.load(tar.extractfile("manifest.json")) for name in image["RepoTags"]]
    with open(TAKEN, "a") as file:
        print(json.dumps({"words": [pathlib.Path(sys.argv[0]).name, *sys.argv[1:]], "images": found}), file=file)
    print(f"Loaded {len(found)}")
"""


def install(folder: Path, name: str, source: str = TAKES) -> Path:
    """Puts the program `name` into `folder/bin`; what it takes is written to `folder/taken`."""
    path = folder / "bin" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!{sys.executable}\nTAKEN = {str(folder / 'taken')!r}\n{textwrap.dedent(source)}")
    path.chmod(0o755)
    return path


def taken(folder: Path) -> list[Mapping[str, Any]]:
    """What the programs were called with, in order, and which images were in the tar."""
    path = folder / "taken"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
