"""Which cluster is meant, and the words for what is wrong with it."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.suite.fake_api import FakeApi
from tests.engines.knative.fake import FakeCluster
from toolkit.engines.knative import reach
from toolkit.engines.knative.connection import Cluster, connect
from toolkit.engines.knative.kinds import NAMESPACE
from toolkit.errors import EngineError, Exit


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither the user's own cluster nor a pod's."""
    for variable in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr("toolkit.engines.knative.connection.DEFAULT", tmp_path / "home" / "config")


def kubeconfig(server: str = "http://127.0.0.1:1", **user: Any) -> dict[str, Any]:
    return {
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": user or {"token": "t"}}],
        "contexts": [{"name": "one", "context": {"cluster": "c", "user": "u"}}, {"name": "two", "context": {}}],
        "current-context": "one",
    }


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "kubeconfig"


async def refusal(cluster: Cluster) -> EngineError:
    with pytest.raises(EngineError) as caught:
        async with connect(cluster):
            pass
    assert caught.value.exit is Exit.ENGINE
    assert caught.value.next_step
    return caught.value


async def test_without_a_kubeconfig_the_local_engine_is_offered(tmp_path: Path) -> None:
    error = await refusal(Cluster())
    assert "there is no kubeconfig: ~/.kube/config names" in str(error)
    assert "--engine local" in (error.next_step or "")


async def test_a_kubeconfig_that_is_not_there_is_told_with_who_named_it(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "--kubeconfig names" in str(await refusal(Cluster(file)))
    monkeypatch.setenv("KUBECONFIG", f"{file}:{file}2")
    assert "$KUBECONFIG names" in str(await refusal(Cluster()))


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"a: b", b"just text", b'{"contexts": 3}', b"\x00\x01"])
async def test_a_file_that_is_no_kubeconfig_is_told(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    assert str(file) in str(await refusal(Cluster(file)))


@pytest.mark.parametrize("content", [b"a: [", b"\xff\xfe"])
async def test_a_file_that_cannot_even_be_read_is_told_with_the_reason(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    assert f"the kubeconfig {file} cannot be used: " in str(await refusal(Cluster(file)))


async def test_a_context_that_is_not_there_is_told_with_those_that_are(file: Path) -> None:
    file.write_text(json.dumps(kubeconfig()))
    error = await refusal(Cluster(file, "tow"))
    assert error.next_step == "its contexts are one, two — did you mean 'two'?"


async def test_a_cluster_that_does_not_answer_is_told_with_the_reason(file: Path) -> None:
    file.write_text(json.dumps(kubeconfig()))
    assert str(await refusal(Cluster(file))) == "http://127.0.0.1:1 does not answer: connection refused"


async def test_a_name_that_leads_nowhere_is_told(file: Path) -> None:
    file.write_text(json.dumps(kubeconfig("http://nowhere.invalid:1")))
    assert "http://nowhere.invalid:1 does not answer: " in str(await refusal(Cluster(file)))


async def test_a_plugin_for_credentials_that_fails_is_told(file: Path) -> None:
    plugin = {"apiVersion": "client.authentication.k8s.io/v1", "command": "no-such-plugin", "interactiveMode": "Never"}
    file.write_text(json.dumps(kubeconfig(exec=plugin)))
    assert "gave no credentials: [Errno 2] No such file or directory: 'no-such-plugin'" in str(
        await refusal(Cluster(file))
    )


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[FakeApi, Path]]:
    api = FakeApi()
    with api.serving(tmp_path) as path:
        yield api, path


@pytest.mark.parametrize(
    ("code", "said"), [(401, "does not know you: Unauthorized (401)"), (404, "is no Kubernetes API")]
)
async def test_a_server_that_turns_us_away_is_told(server: tuple[FakeApi, Path], code: int, said: str) -> None:
    api, path = server
    api.give("GET /apis", {"message": "Unauthorized"}, code=code)
    assert said in str(await refusal(Cluster(path)))


async def test_a_server_that_knows_us_is_asked_with_our_token(server: tuple[FakeApi, Path]) -> None:
    api, path = server
    api.give("GET /apis", {"groups": []})
    async with connect(Cluster(path)) as connected:
        assert connected.server.startswith("http://127.0.0.1:")
    assert [(method, place) for method, place, _, _ in api.asked] == [("GET", "/apis")]


async def test_a_token_that_expires_meanwhile_is_read_again(server: tuple[FakeApi, Path]) -> None:
    api, path = server
    api.give("GET /apis", {"groups": []})
    api.give("GET /api/v1/namespaces/a", {"message": "Unauthorized"}, code=401)
    api.give("GET /api/v1/namespaces/a", {"metadata": {"name": "a"}})
    async with connect(Cluster(path)) as connected:
        assert await connected.get(NAMESPACE, "a") == {"metadata": {"name": "a"}}


async def test_the_way_to_the_api_server_tells_our_address_and_loopback_the_way_to_a_node() -> None:
    cluster = FakeCluster(server="https://127.0.0.1:6443")
    with pytest.raises(EngineError, match=r"pods cannot reach this machine at 127\.0\.0\.1") as caught:
        await reach.own_address(cluster.api)
    assert "--advertise" in (caught.value.next_step or "")
    own = _own_address()
    if own is None:
        pytest.skip("this machine has no address but loopback")
    cluster.put(
        {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": "n"},
            "status": {"addresses": [{"type": "InternalIP", "address": own}]},
        }
    )
    assert await reach.own_address(cluster.api) == own


def _own_address() -> str | None:
    """Of a network interface, if there is one with a route."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return None
        found = str(probe.getsockname()[0])
    return None if found.startswith("127.") else found


async def test_a_gateway_that_cannot_be_seen_can_be_named() -> None:
    cluster = FakeCluster()
    assert await reach.ingresses(cluster.api, "192.0.2.1:80") == ["192.0.2.1:80"]
    with pytest.raises(EngineError, match="no ingress gateway can be seen") as caught:
        await reach.ingresses(cluster.api, None)
    assert "--ingress HOST:PORT" in (caught.value.next_step or "")
