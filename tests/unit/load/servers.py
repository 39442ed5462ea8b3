"""Real gRPC servers in processes of their own: grpcio's, grpc-go's, and Envoy in front of one. All echo a name."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster import binaries
from tests.cluster.running import ClusterError
from tests.perf import programs
from tests.unit.load.far_side import Address
from tests.unit.sdk.scaffold import free_port

FILTERS = "type.googleapis.com/envoy.extensions.filters"
HOST = "127.0.0.1"
FEW = 3  # streams at once, where a server is told so
SOME = 50  # requests on a connection before Envoy says goodbye


@contextlib.contextmanager
def process(*command: str | Path) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as found:
        try:
            yield found
        finally:
            found.kill()


@contextlib.contextmanager
def grpcio(port: int | None = None) -> Iterator[Address]:
    port = port or free_port()
    with process(sys.executable, "-m", "tests.perf.echo", "bare", str(port)):
        yield HOST, port


@contextlib.contextmanager
def go(most: int | None = None) -> Iterator[Address]:
    """Skips the test where it cannot be built."""
    try:
        program = programs.built(programs.SERVER)
    except programs.Missing as why:
        pytest.skip(f"grpc-go's server: {why}")
    with process(program, f"{HOST}:0", *([] if most is None else [str(most)])) as running:
        assert running.stdout is not None
        yield HOST, int(running.stdout.readline())


@contextlib.contextmanager
def envoy(most: int | None = None, behind: Address | None = None) -> Iterator[Address]:
    """In front of grpc-go's server, or of this address. Skips the test where it cannot be fetched."""
    try:
        binaries.fetch_envoy(lambda said: None)
    except ClusterError as why:
        pytest.skip(f"Envoy: {why}")
    port = free_port()
    with contextlib.ExitStack() as stack:
        scratch = stack.enter_context(tempfile.TemporaryDirectory())
        config = Path(scratch, "envoy.json")
        config.write_text(json.dumps(_config(port, behind or stack.enter_context(go()), most)))
        quiet = ("-l", "off", "--concurrency", "1", "--disable-hot-restart")
        with process(binaries.path(binaries.ENVOY), "-c", config, *quiet):
            yield HOST, port


def _config(port: int, behind: Address, most: int | None) -> dict[str, object]:
    """HTTP/2 in the clear on both sides. It closes a connection in order once it has carried SOME requests."""
    http2 = {} if most is None else {"max_concurrent_streams": most}
    manager = {
        "@type": f"{FILTERS}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "front",
        "codec_type": "HTTP2",
        "http2_protocol_options": http2,
        "common_http_protocol_options": {"max_requests_per_connection": SOME},
        "drain_timeout": "0.05s",
        "route_config": {
            "virtual_hosts": [
                {
                    "name": "all",
                    "domains": ["*"],
                    "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "behind", "timeout": "0s"}}],
                }
            ]
        },
        "http_filters": [
            {
                "name": "router",
                "typed_config": {"@type": f"{FILTERS}.http.router.v3.Router"},
            }
        ],
    }
    cluster = {
        "name": "behind",
        "type": "STATIC",
        "load_assignment": {
            "cluster_name": "behind",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": _address(*behind)}}]}],
        },
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": {"http2_protocol_options": {}},
            }
        },
    }
    filters = [{"name": "manager", "typed_config": manager}]
    listener = {"name": "front", "address": _address(HOST, port), "filter_chains": [{"filters": filters}]}
    return {"static_resources": {"listeners": [listener], "clusters": [cluster]}}


def _address(host: str, port: int) -> dict[str, object]:
    return {"socket_address": {"address": host, "port_value": port}}
