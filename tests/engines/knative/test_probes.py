"""What queue-proxy's log tells of a function that runs and is not ready: lines recorded from Knative Serving 0.50."""

from __future__ import annotations

import json
from typing import Any

import pytest

from toolkit.engines.knative import probes

PREFIX = "aggressive probe error (failed 201 times): "
REFUSED = (
    'connection error: desc = "transport: Error while dialing: dial tcp 127.0.0.1:8080: connect: connection refused"'
)
GRPC_ERROR = f"{PREFIX}health rpc probe failed: rpc error: code = Unavailable desc = "
NOTHING_LISTENS = f"{GRPC_ERROR}{REFUSED}"
NOTHING_LISTENS_HTTP = (
    f'{PREFIX}Get "http://127.0.0.1:8080/healthz": dial tcp 127.0.0.1:8080: connect: connection refused'
)
HTTP_TO_GRPC = f'{GRPC_ERROR}connection error: desc = "error reading server preface: http2: frame too large"'
NO_HEALTH = (
    f"{PREFIX}this server does not implement the grpc health protocol (grpc.health.v1.Health) rpc error: "
    "code = Unimplemented desc = Method not found!"
)
GRPC_TO_HTTP = (
    f'{PREFIX}Get "http://127.0.0.1:8080/healthz": net/http: HTTP/1.x transport connection broken: malformed HTTP '
    r'response "\x00\x00\x18\x04\x00\x00\x00\x00\x00\x00\x04\x00@\x00\x00\x00\x05\x00@\x00\x00\x00\x06\x00\x00@\x00"'
)
NOT_FOUND = f"{PREFIX}HTTP probe did not respond Ready, got status code: 404"
UNAVAILABLE = f"{PREFIX}HTTP probe did not respond Ready, got status code: 503"
CLOSES = f'{GRPC_ERROR}connection error: desc = "error reading server preface: connection reset by peer"'
SAYS_NOTHING = (
    f"{PREFIX}health rpc did not complete within 100ms: rpc error: code = DeadlineExceeded desc = context deadline "
    "exceeded while waiting for connections to become ready"
)
STARTED = '{"severity":"INFO","logger":"queueproxy","message":"Starting queue-proxy"}'


def pod(probe: dict[str, Any], *, ready: str = "False", state: str = "running") -> dict[str, Any]:
    env = [{"name": "USER_PORT", "value": "8080"}, {"name": "SERVING_READINESS_PROBE", "value": json.dumps(probe)}]
    states: list[Any] = [{"name": each, "state": {state: {}}} for each in ("queue-proxy", "user-container")]
    return {
        "metadata": {"name": "x"},
        "spec": {"containers": [{"name": "user-container"}, {"name": "queue-proxy", "env": env}]},
        "status": {"conditions": [{"type": "Ready", "status": ready}], "containerStatuses": states},
    }


CALLED, CONSUMES = pod({"grpc": {"port": 8080}}), pod({"httpGet": {"path": "/healthz"}})


@pytest.mark.parametrize(
    ("of", "line", "says"),
    [
        (
            CALLED,
            HTTP_TO_GRPC,
            "on port 8080, where Knative asks for gRPC health, speaks another protocol: error reading server",
        ),
        (CALLED, NO_HEALTH, "on port 8080, where Knative asks for gRPC health, does not know grpc.health.v1.Health: "),
        (CONSUMES, GRPC_TO_HTTP, "where Knative asks for /healthz by HTTP, speaks another protocol: "),
        (CONSUMES, NOT_FOUND, "where Knative asks for /healthz by HTTP, does not know that path: "),
    ],
)
def test_who_answers_otherwise_than_knative_asks_is_in_trouble(of: dict[str, Any], line: str, says: str) -> None:
    found = probes.trouble(of, probes.heard([STARTED, NOTHING_LISTENS, line, "context deadline exceeded"]))
    assert found is not None
    assert found.text.startswith("its container runs, but what listens ")
    assert says in found.text
    assert len(found.text) < 300
    assert found.patience > 1


@pytest.mark.parametrize("line", [NOTHING_LISTENS, NOTHING_LISTENS_HTTP, UNAVAILABLE, CLOSES, SAYS_NOTHING, STARTED])
def test_what_a_function_may_do_while_it_starts_is_no_trouble(line: str) -> None:
    assert probes.trouble(CALLED, probes.heard([line])) is None


@pytest.mark.parametrize("line", [NOTHING_LISTENS, NOTHING_LISTENS_HTTP])
def test_that_nothing_listens_is_said_in_two_words(line: str) -> None:
    assert probes.progress(CALLED, probes.heard([line])) == "runs, does not answer on port 8080 yet: connection refused"


def test_a_log_that_does_not_tell_says_nothing() -> None:
    assert probes.heard([]) is None
    assert probes.heard([STARTED, "context deadline exceeded"]) is None
    assert probes.progress(CALLED, None) == "runs, does not answer on port 8080 yet"


def test_only_a_pod_that_runs_and_is_not_ready_is_silent() -> None:
    assert probes.silent(CALLED)
    assert not probes.silent(pod({}, ready="True"))
    assert not probes.silent(pod({}, state="waiting"))
    assert not probes.silent({"metadata": {"name": "new"}, "spec": {"containers": []}})


@pytest.mark.parametrize("probe", ["", "no json", "{}"])
def test_a_probe_that_cannot_be_read_is_one_for_a_connection(probe: str) -> None:
    env = [{"name": "SERVING_READINESS_PROBE", "value": probe}]
    assert probes.asked({"spec": {"containers": [{"name": "queue-proxy", "env": env}]}}).how == "for a connection"
