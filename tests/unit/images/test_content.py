"""What is in an image: its layers, its configuration, and nothing that does not belong there."""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import subprocess
import sys
import tarfile
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

import toolkit
from tests.unit.images.surroundings import (
    HERE,
    PYTHON,
    PYTHON_LAYER,
    SILENT,
    Layout,
    built,
    layer_members,
    order,
    rootfs,
    tar_of,
    wheel,
)
from tests.unit.images.surroundings import chain as a_chain
from toolkit.contract import Wiring
from toolkit.errors import UsageError
from toolkit.images import build, configuration, dependencies, interpreter
from toolkit.images.base import this_machine
from toolkit.images.model import ImageError


def test_the_layers_are_base_libraries_scaffold_and_chain(base: Path, chain: Path, cache: Path, tmp_path: Path) -> None:
    image = built(base, chain, cache, tmp_path / "image")
    assert [each.what for each in image.layers] == ["base", "dependencies", "scaffold", "chain"]


def test_the_chain_s_layer_holds_its_description_handlers_and_data(
    base: Path, chain: Path, cache: Path, tmp_path: Path
) -> None:
    (chain / "data").mkdir()
    (chain / "data" / "größe.bin").write_bytes(b"\0" * 3)
    image = built(base, chain, cache, tmp_path / "image")
    code = f"app/chain/__pycache__/handlers.cpython-{PYTHON.replace('.', '')}.pyc"
    assert list(layer_members(tmp_path / "image", image, "chain")) == [
        "app",
        "app/chain",
        "app/chain/__pycache__",
        code,
        "app/chain/chain.yaml",
        "app/chain/data",
        "app/chain/data/größe.bin",
        "app/chain/handlers.py",
    ]


def test_the_scaffold_s_layer_holds_what_functions_and_generators_import_of_the_toolkit_and_no_more(
    base: Path, chain: Path, cache: Path, tmp_path: Path
) -> None:
    image = built(base, chain, cache, tmp_path / "image")
    members = layer_members(tmp_path / "image", image, "scaffold")
    top = {name.split("/")[3] for name in members if name.startswith("app/lib/toolkit/")}
    generator = {"analysis.py", "coldness.py", "errors.py", "hops.py", "load", "results.py", "traces"}
    assert top == {"__init__.py", "__pycache__", "contract", "sdk", "stubs", *generator}
    assert {name for name in members if name.startswith("app/lib/toolkit/traces/") and name.endswith(".py")} == {
        "app/lib/toolkit/traces/__init__.py",
        "app/lib/toolkit/traces/model.py",
        "app/lib/toolkit/traces/segments.py",
    }
    assert {Path(name).suffix for name, each in members.items() if each.isreg()} == {".py", ".pyc"}


def test_the_libraries_come_without_tests_stubs_scripts_and_notes_of_their_installation(
    base: Path, chain: Path, cache: Path, tmp_path: Path
) -> None:
    image = built(base, chain, cache, tmp_path / "image")
    names = list(layer_members(tmp_path / "image", image, "dependencies"))
    version = metadata.version("grpcio")
    assert f"app/lib/grpcio-{version}.dist-info/METADATA" in names
    assert f"app/lib/grpcio-{version}.dist-info/entry_points.txt" in names
    noise = ("RECORD", "INSTALLER", "REQUESTED", ".pyi", "test_it.py", "grpcio-tool")
    assert [name for name in names if name.endswith(noise)] == []


def test_files_are_readable_by_all_and_writable_by_root(base: Path, chain: Path, cache: Path, tmp_path: Path) -> None:
    (chain / "handlers.py").chmod(0o600)
    script = chain / "tool"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o700)
    image = built(base, chain, cache, tmp_path / "image")
    members = layer_members(tmp_path / "image", image, "chain")
    assert oct(members["app/chain/handlers.py"].mode) == "0o644"
    assert oct(members["app/chain/tool"].mode) == "0o755"
    assert oct(members["app/chain"].mode) == "0o755"


def test_byte_code_is_put_in_that_is_never_checked_against_its_source(
    base: Path, chain: Path, cache: Path, tmp_path: Path
) -> None:
    image = built(base, chain, cache, tmp_path / "image")
    layer = image.layers[-1]
    with tarfile.open(tmp_path / "image/blobs" / layer.descriptor.digest.replace(":", "/")) as tar:
        (name,) = [each for each in tar.getnames() if each.endswith(".pyc")]
        file = tar.extractfile(name)
        assert file is not None
        data = file.read()
    assert data[:4] == importlib.util.MAGIC_NUMBER
    assert int.from_bytes(data[4:8], "little") == 0b01  # hash-based, unchecked (PEP 552)
    assert b"/app/chain/handlers.py" in data
    assert str(tmp_path).encode() not in data


def test_no_byte_code_is_put_in_for_another_python_and_it_is_said(
    tmp_path: Path, chain: Path, cache: Path, wheels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    minor = sys.version_info[1] + 1
    other = rootfs(tmp_path / "other", python=f"3.{minor}")
    for pin in dependencies.pins():
        name, _, version = pin.partition("==")
        wheel(tmp_path / "wheels", name, version)
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    said: list[str] = []
    with build.building(order(other, chain, cache), said.append) as image:
        for layer in image.layers:
            with layer.open() as file, tarfile.open(fileobj=file) as tar:
                assert [name for name in tar.getnames() if name.endswith(".pyc")] == []
        assert image.python == f"3.{minor}"
    assert any("no byte code" in line and f"3.{minor}" in line for line in said)


def test_a_handler_that_does_not_compile_is_packed_as_it_is(
    base: Path, chain: Path, cache: Path, tmp_path: Path
) -> None:
    (chain / "draft.py").write_text("def (:\n")
    image = built(base, chain, cache, tmp_path / "image")
    assert "app/chain/draft.py" in layer_members(tmp_path / "image", image, "chain")


def test_the_image_says_how_it_is_started_and_as_whom(base: Path, chain: Path, cache: Path, tmp_path: Path) -> None:
    found = json.loads(built(base, chain, cache, tmp_path / "image").config)
    assert found["config"] == {
        "Entrypoint": ["python3", "-P", "-m", "toolkit.sdk"],
        "Env": [
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "PYTHONPATH=/app/lib",
            "PYTHONUNBUFFERED=1",
            "PYTHONDONTWRITEBYTECODE=1",
        ],
        "ExposedPorts": {"8080/tcp": {}},
        "Labels": {
            "org.opencontainers.image.description": "A greeter.",
            "org.opencontainers.image.title": "greetings",
            "org.opencontainers.image.version": metadata.version("kn-bench"),
        },
        "User": "65532:65532",
        "WorkingDir": "/app/chain",
    }
    assert (found["os"], found["architecture"]) == ("linux", HERE)
    assert found["created"] == "1970-01-01T00:00:00Z"
    assert [each["created_by"] for each in found["history"]] == [
        f"toolkit build: {what}" for what in ("base", "dependencies", "scaffold", "chain")
    ]


def test_of_the_base_its_variables_labels_ports_and_history_are_kept_and_its_program_is_not(
    chain: Path, cache: Path, tmp_path: Path
) -> None:
    layout = Layout(tmp_path / "base")
    config: dict[str, Any] = {
        "Env": ["PATH=/usr/local/bin", "LANG=C.UTF-8", "PYTHONPATH=/theirs"],
        "Cmd": ["python3"],
        "User": "0",
    }
    config |= {"Labels": {"their": "label"}, "ExposedPorts": {"9090/tcp": {}}, "Entrypoint": ["/entry.sh"]}
    layout.index(layout.image(tar_of(PYTHON_LAYER), **config))
    found = json.loads(built(tmp_path / "base", chain, cache, tmp_path / "image").config)["config"]
    assert found["Env"][:3] == ["PATH=/usr/local/bin", "LANG=C.UTF-8", "PYTHONPATH=/app/lib"]
    assert found["Labels"]["their"] == "label"
    assert found["ExposedPorts"] == {"8080/tcp": {}, "9090/tcp": {}}
    assert (found["Entrypoint"], found["User"]) == (list(configuration.ENTRYPOINT), configuration.USER)
    assert "Cmd" not in found


def test_a_wiring_is_baked_in_as_the_last_layer(base: Path, chain: Path, cache: Path, tmp_path: Path) -> None:
    wiring = tmp_path / "greeter.json"
    wiring.write_text(Wiring("greetings", "greeter", "r", "handlers.py:greet", serves=("a.B/C",)).encode())
    plain = built(base, chain, cache, tmp_path / "plain")
    image = built(base, chain, cache, tmp_path / "image", wiring=wiring)
    assert [each.what for each in image.layers] == ["base", "dependencies", "scaffold", "chain", "wiring"]
    assert [each.descriptor for each in image.layers[:-1]] == [each.descriptor for each in plain.layers]
    members = layer_members(tmp_path / "image", image, "wiring")
    assert list(members) == ["etc", "etc/toolkit", "etc/toolkit/wiring.json"]
    assert oct(members["etc/toolkit/wiring.json"].mode) == "0o644"
    assert image.reference != plain.reference


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is no wiring"),
        ("[]", "is no wiring"),
        ('{"chain": "greetings"}', "is no wiring"),
        ("\udcff", "is no wiring"),
        (
            Wiring("another", "f", "r", "h.py:h", serves=("a.B/C",)).encode(),
            "of the chain 'another', not of 'greetings'",
        ),
    ],
)
def test_what_is_no_wiring_of_this_chain_is_refused(
    base: Path, chain: Path, cache: Path, tmp_path: Path, text: str, told: str
) -> None:
    wiring = tmp_path / "wiring.json"
    wiring.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(UsageError, match=told), build.building(order(base, chain, cache, wiring=wiring), SILENT):
        pass


def test_a_link_to_a_file_is_packed_as_that_file_and_one_to_a_folder_is_refused(
    base: Path, chain: Path, cache: Path, tmp_path: Path
) -> None:
    (tmp_path / "shared.py").write_text("SHARED = 1\n")
    (chain / "shared.py").symlink_to(tmp_path / "shared.py")
    image = built(base, chain, cache, tmp_path / "image")
    assert layer_members(tmp_path / "image", image, "chain")["app/chain/shared.py"].isreg()
    (chain / "folder").symlink_to(tmp_path)
    with (
        pytest.raises(UsageError, match="folder is a link to a folder"),
        build.building(order(base, chain, cache), SILENT),
    ):
        pass


@pytest.mark.parametrize("target", ["nowhere", "link"])
def test_a_link_that_leads_nowhere_is_told(base: Path, chain: Path, cache: Path, target: str) -> None:
    (chain / "link").symlink_to(target)
    with (
        pytest.raises(UsageError, match="link is a link to a folder, or to nothing"),
        build.building(order(base, chain, cache), SILENT),
    ):
        pass


def test_pipes_are_no_part_of_a_chain(base: Path, chain: Path, cache: Path, tmp_path: Path) -> None:
    os.mkfifo(chain / "pipe")
    image = built(base, chain, cache, tmp_path / "image")
    names = layer_members(tmp_path / "image", image, "chain")
    assert "app/chain/pipe" not in names


def test_what_a_chain_requires_is_a_layer_of_its_own_in_the_versions_of_this_environment(
    base: Path, tmp_path: Path, wheels: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = metadata.version("PyYAML")
    folder = tmp_path / "wheels"
    wheel(folder, "jokes", "1.5", requires="Requires-Dist: pyyaml>=1\nRequires-Dist: protobuf\n")
    wheel(folder, "pyyaml", here)
    wheel(folder, "pyyaml", "999.0")
    monkeypatch.setenv("PIP_FIND_LINKS", f"{folder} {wheels}")
    chain = a_chain(tmp_path / "chain")
    (chain / "chain.yaml").write_text((chain / "chain.yaml").read_text() + 'requires: ["jokes>=1"]\n')
    image = built(base, chain, tmp_path / "cache", tmp_path / "image")
    assert [each.what for each in image.layers] == ["base", "dependencies", "requires", "scaffold", "chain"]
    tops = {name.split("/")[2] for name in layer_members(tmp_path / "image", image, "requires") if name.count("/") > 1}
    assert tops == {"jokes", "jokes-1.5.dist-info", "pyyaml", f"pyyaml-{here}.dist-info"}
    other = built(base, a_chain(tmp_path / "other"), cache, tmp_path / "second")
    assert other.layers[1].descriptor == image.layers[1].descriptor


def test_what_a_chain_requires_is_fetched_anew_when_this_environment_has_another_version(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    python = interpreter.running(this_machine())
    before = dependencies.required(["jokes"]).key(python)
    assert dependencies.required(["jokes"]).key(python) == before
    monkeypatch.setattr(dependencies, "installed", lambda: ["jokes==2"])
    assert dependencies.required(["jokes"]).key(python) != before


def test_what_pip_cannot_fetch_is_told_with_pip_s_last_lines(base: Path, tmp_path: Path) -> None:
    chain = a_chain(tmp_path / "chain")
    (chain / "chain.yaml").write_text((chain / "chain.yaml").read_text() + 'requires: ["no-such-thing==1"]\n')
    with (
        pytest.raises(ImageError, match="No matching distribution found for no-such-thing==1") as told,
        build.building(order(base, chain, tmp_path / "cache"), SILENT),
    ):
        pass
    assert told.value.exit == 3
    assert told.value.next_step is not None


def test_without_pip_it_is_said_how_to_get_it(
    base: Path, chain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "pip" else find(name))
    with (
        pytest.raises(ImageError, match="has no pip") as told,
        build.building(order(base, chain, tmp_path / "cache"), SILENT),
    ):
        pass
    assert "ensurepip" in str(told.value.next_step)


def test_a_generator_finds_all_that_it_imports_of_the_toolkit_in_the_image(
    base: Path, chain: Path, cache: Path, tmp_path: Path
) -> None:
    image = built(base, chain, cache, tmp_path / "image")
    (layer,) = [each for each in image.layers if each.what == "scaffold"]
    with tarfile.open(tmp_path / "image" / "blobs" / layer.descriptor.digest.replace(":", "/")) as tar:
        tar.extractall(tmp_path / "root", filter="data")
    place = tmp_path / "root" / "app" / "lib"
    program = f"import sys; sys.path.insert(0, {str(place)!r}); import toolkit.load.worker as w; print(w.__file__)"
    done = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout.startswith(str(place)), done.stderr


def test_every_library_that_the_scaffold_imports_is_in_the_image() -> None:
    """`ROOTS` is the one list by hand; the imports are the truth."""
    package = Path(toolkit.__file__).parent
    imported = {
        name
        for folder in ("contract", "sdk", "stubs", "load")
        for path in (package / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        for name in _imported(node)
    }
    theirs = {name for name in imported if name.partition(".")[0] not in {*sys.stdlib_module_names, "toolkit"}}
    assert theirs
    have = {pin.partition("==")[0] for pin in dependencies.pins()}
    files = {str(file) for name in have for file in metadata.files(name) or []}
    lost = {name for name in theirs if not any(file.startswith(name.replace(".", "/")) for file in files)}
    assert {name.partition(".")[0] for name in lost} == {"obstore", "redis"}  # of transfers, in images that need them


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [each.name for each in node.names]
    if isinstance(node, ast.ImportFrom) and node.module and not node.level:
        return [node.module]
    return []


def test_the_versions_are_those_of_this_environment() -> None:
    for pin in dependencies.pins():
        name, _, version = pin.partition("==")
        assert metadata.version(name) == version
    names = {pin.partition("==")[0] for pin in dependencies.pins()}
    assert {*dependencies.ROOTS, "opentelemetry-api", "typing-extensions"} <= names
    assert names.isdisjoint({"pyyaml", "grpcio-tools", "pytest", "kn-bench"})
