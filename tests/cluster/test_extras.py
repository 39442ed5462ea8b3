"""What brings a real Zipkin and a real Collector, as far as it can be tested without building them."""

from __future__ import annotations

import json
import re
import tarfile
from pathlib import Path

import pytest

from tests.cluster import extras, versions
from tests.cluster.images import Image, write
from tests.cluster.running import ClusterError
from toolkit import manifests


def test_the_cluster_s_own_cache_does_not_depend_on_the_extras(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert versions.cached("bin").is_relative_to(versions.cache_root())
    assert not extras.jar().is_relative_to(versions.cached(""))
    assert not extras.COLLECTOR.is_relative_to(versions.GO)


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert extras.missing() == ["Zipkin's server", "its Java", "the OpenTelemetry Collector"]


def test_a_machine_without_the_tools_is_told_which(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ClusterError, match="mvn is not here: install Maven"):
        extras.provide(lambda text: None)
    assert extras.missing() == ["Zipkin's server", "its Java", "the OpenTelemetry Collector"]


def test_the_parts_of_the_collector_are_of_one_release() -> None:
    wanted = re.findall(r"^\t(\S+) (v\S+)$", (extras.COLLECTOR / "go.mod").read_text(), re.MULTILINE)
    parts = {version for module, version in wanted if "opentelemetry-collector" in module or "/collector/" in module}
    assert len({version for version in parts if version.startswith("v0.")}) == 1
    assert len({version for version in parts if version.startswith("v1.")}) == 1


def test_zipkin_is_the_version_whose_published_image_the_manifests_name() -> None:
    assert extras.pinned()["artifact"].split(":")[2] == manifests.Images().zipkin.rpartition(":")[2]
    assert len(extras.pinned()["sha256"]) == 64


def test_an_image_starts_its_program_with_its_arguments(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text("a program")
    write(Image("dev.local/it:1", {"/it": program}, "/it", "1000", ("-v",)), tmp_path / "it.tar")
    with tarfile.open(tmp_path / "it.tar") as tar:
        config = tar.extractfile("config.json")
        assert config is not None
        assert json.load(config)["config"] == {"Entrypoint": ["/it", "-v"], "User": "1000"}
