"""The stubs: generated the same every time, noticed when stale, usable by strangers."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from toolkit import protoc
from toolkit.errors import ToolkitError, UsageError

ROOT = Path(__file__).parents[2]
PROTOS, STUBS = ROOT / "protos", ROOT / "toolkit" / "stubs"

PROTO = """
syntax = "proto3";
package shop;
import "money.proto";
import "google/protobuf/timestamp.proto";
service Shop { rpc Buy (Order) returns (Order); }
message Order { money.Amount price = 1; google.protobuf.Timestamp at = 2; }
"""
MONEY = 'syntax = "proto3";\npackage money;\nmessage Amount { int64 cents = 1; }\n'


@pytest.fixture
def protos(tmp_path: Path) -> Path:
    folder = tmp_path / "protos"
    folder.mkdir()
    (folder / "shop.proto").write_text(PROTO)
    (folder / "money.proto").write_text(MONEY)
    return folder


def test_the_committed_stubs_are_fresh() -> None:
    assert protoc.stale(PROTOS, STUBS) == []


def test_the_committed_stubs_accept_every_runtime_the_package_allows() -> None:
    needs = json.loads((STUBS / protoc.MANIFEST).read_text())["needs"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    allowed = {
        name: found[1]
        for name in needs
        for each in project["dependencies"]
        if (found := re.match(rf"{name}>=([\d.]+)", each))
    }

    def version(text: str) -> tuple[int, ...]:
        return tuple(int(part) for part in text.split("."))

    assert {name: version(needs[name])[:2] <= version(allowed[name]) for name in needs} == dict.fromkeys(needs, True), (
        "generate the stubs with the oldest grpcio-tools the package allows"
    )


def test_generating_twice_gives_the_same_bytes(protos: Path, tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    written = protoc.generate(protos, one)
    protoc.generate(protos, other)
    assert {path.name: path.read_bytes() for path in one.iterdir()} == {
        path.name: path.read_bytes() for path in other.iterdir()
    }
    assert sorted(path.name for path in written if path.suffix == ".pyi") == [
        "money_pb2.pyi",
        "money_pb2_grpc.pyi",
        "shop_pb2.pyi",
        "shop_pb2_grpc.pyi",
    ]
    assert protoc.stale(protos, one) == []


def test_generated_stubs_import_each_other_as_a_package(protos: Path, tmp_path: Path) -> None:
    protoc.generate(protos, tmp_path / "made")
    code = "from made import shop_pb2, shop_pb2_grpc as g; print(shop_pb2.Order(price={'cents': 3}).price.cents, g)"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("3 ")
    assert "from . import money_pb2" in (tmp_path / "made" / "shop_pb2.py").read_text()
    assert "from google.protobuf import timestamp_pb2" in (tmp_path / "made" / "shop_pb2.py").read_text()


def test_every_way_of_being_stale_is_told(protos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert protoc.stale(protos, out) == [f"{out}/MANIFEST.json is missing: the stubs were never generated"]
    protoc.generate(protos, out)
    (protos / "shop.proto").write_text(PROTO + "message More {}\n")
    (protos / "new.proto").write_text(MONEY.replace("money", "fresh"))
    (protos / "money.proto").unlink()
    (out / "money_pb2.py").unlink()
    (out / "shop_pb2.pyi").write_text("# mine\n")
    assert protoc.stale(protos, out) == [
        f"{protos}/shop.proto changed after its stubs were generated",
        f"{protos}/new.proto has no stubs yet",
        f"{protos}/money.proto is gone, its stubs are still there",
        f"{out}/money_pb2.py is missing",
        f"{out}/shop_pb2.pyi was changed by hand",
    ]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"protos": 1, "outputs": {}}', "\x00"])
def test_a_manifest_that_is_none_is_told(protos: Path, tmp_path: Path, text: str) -> None:
    (tmp_path / protoc.MANIFEST).write_text(text)
    assert protoc.stale(protos, tmp_path) == [f"{tmp_path}/MANIFEST.json is not a manifest of stubs"]


def test_stubs_of_a_proto_that_is_gone_go_too(protos: Path, tmp_path: Path) -> None:
    (protos / "other.proto").write_text(MONEY.replace("money", "other"))
    protoc.generate(protos, tmp_path / "out")
    (protos / "other.proto").unlink()
    (tmp_path / "out" / "otherwise_pb2.py").write_text("# not ours\n")
    protoc.generate(protos, tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").glob("other*")) == ["otherwise_pb2.py"]
    assert protoc.stale(protos, tmp_path / "out") == []


def test_a_proto_that_is_wrong_is_refused_in_protocs_words(protos: Path, tmp_path: Path) -> None:
    (protos / "shop.proto").write_text(PROTO + "message Broken { int32 }\n")
    with pytest.raises(UsageError, match=r"shop\.proto:8:24: Expected field name"):
        protoc.generate(protos, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_without_protos_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no \.proto files here"):
        protoc.generate(tmp_path, tmp_path / "out")


def test_missing_tools_are_named_with_what_installs_them(
    protos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "grpc_tools", None)
    with pytest.raises(ToolkitError, match="grpcio-tools") as raised:
        protoc.generate(protos, tmp_path / "out")
    assert raised.value.next_step == "pip install 'kn-bench[stubs]'"


def test_noticing_stale_stubs_needs_no_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "grpc_tools", None)
    assert protoc.stale(PROTOS, STUBS) == []


def test_the_entry_is_wire_compatible_with_vswarm() -> None:
    from toolkit.stubs.helloworld_pb2 import HelloReply, HelloRequest

    assert HelloRequest(name="a", vHiveMetadata=b"{}").SerializeToString() == b"\x0a\x01a\x7a\x02{}"
    assert HelloReply(message="b").SerializeToString() == b"\x0a\x01b"
