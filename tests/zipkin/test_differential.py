"""2,000 generated traces, given to a real Zipkin server and to our store in the same posts: every answer is compared.

No difference is passed over that is not in `known`, with what the real server answers instead foretold.
"""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.zipkin import generated, questions, real
from tests.zipkin.corpus import Corpus, text
from tests.zipkin.generated import Posted
from tests.zipkin.known import DIFFERENCES
from tests.zipkin.pair import JSON, Headers, Pair, pair
from toolkit.stubs import zipkin_pb2

pytestmark = [pytest.mark.zipkin, pytest.mark.timeout(280)]
SEED, TRACES = 20261123, 2000
STORED_WITHIN_S = 30.0
IDS_AT_ONCE = 100  # Zipkin's server takes 4 kB as a request line


def _ip(address: bytes) -> zipkin_pb2.Endpoint:
    return zipkin_pb2.Endpoint(ipv6=address)


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return Corpus(generated.traces(SEED, TRACES))


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory, corpus: Corpus) -> Iterator[Pair]:
    """The two, with everything posted and shown."""
    if os.environ.get("KNBENCH_ZIPKIN") != "1":
        pytest.skip("a comparison with a real Zipkin server was not asked for (KNBENCH_ZIPKIN=1)")
    try:
        with pair(tmp_path_factory.mktemp("zipkin")) as found:
            for posted in generated.posts(SEED, generated.traces(SEED, TRACES)):
                found.post(posted)
            _stored(found, sum(map(len, corpus.spans.values())), list(corpus.spans))
            yield found
    except real.MissingError as missing:
        pytest.skip(str(missing))


def _stored(found: Pair, spans: int, ids: list[str]) -> None:
    """Zipkin says 202 before it has stored: return once it shows as many spans as there are."""
    until = time.monotonic() + STORED_WITHIN_S
    while sum(len(trace) for chunk in batched(ids, IDS_AT_ONCE) for trace in _many(found, chunk)) < spans:
        assert time.monotonic() < until, "the real server does not show what it was sent"
        time.sleep(0.5)


def _many(found: Pair, ids: Iterable[str]) -> list[Any]:
    answer = found.theirs.ask("GET", f"/api/v2/traceMany?traceIds={','.join(ids)}")
    assert answer.status == 200, answer.body
    traces: list[Any] = json.loads(answer.body.rstrip(b"\0"))
    return traces


def batched(ids: Iterable[str], size: int) -> Iterator[list[str]]:
    waiting = list(ids)
    return (waiting[start : start + size] for start in range(0, len(waiting), size))


def by_id(traces: list[Any]) -> dict[str, list[str]]:
    """The spans of each trace, in an order that anybody may rely on."""
    found = {trace[0]["traceId"]: sorted(map(text, trace)) for trace in traces}
    assert len(found) == len(traces)
    return found


def test_the_generated_traces_are_of_every_kind(corpus: Corpus) -> None:
    spans = [span for trace in corpus.spans.values() for span in trace.values()]
    assert len(corpus.spans) >= 2000
    assert {span.get("kind") for span in spans} == {"CLIENT", "SERVER", "PRODUCER", "CONSUMER", None}
    assert {len(span["traceId"]) for span in spans} == {16, 32}
    assert corpus.halves
    for key in ("shared", "debug", "annotations", "parentId", "remoteEndpoint"):
        assert 0 < sum(key in span for span in spans) < len(spans)
    assert any("timestamp" not in span for span in spans)
    assert any(len(value) > 50_000 for span in spans for value in span.get("tags", {}).values())
    sent = list(generated.posts(SEED, generated.traces(SEED, 300)))
    assert {header[1] for posted in sent for header in posted.headers} == {
        b"application/json",
        b"application/x-protobuf",
        b"gzip",
    }


def test_every_trace_is_shown_alike_by_its_id(both: Pair, corpus: Corpus) -> None:
    for trace_id in corpus.spans:
        theirs, ours = both.get(f"/api/v2/trace/{trace_id}")
        assert sorted(map(text, ours)) == sorted(map(text, theirs)) == corpus.texts(trace_id)


def test_many_traces_are_shown_alike(both: Pair, corpus: Corpus) -> None:
    for ids in batched(corpus.spans, IDS_AT_ONCE):
        theirs, ours = both.get(f"/api/v2/traceMany?traceIds={','.join(ids)}")
        assert by_id(ours) == by_id(theirs) == {each: corpus.texts(each) for each in ids}


def test_names_are_told_alike(both: Pair) -> None:
    for path in questions.names():
        theirs, ours = both.get(path)
        assert ours == theirs, path


def test_names_are_told_afresh(both: Pair) -> None:
    asked = [each.ask("GET", "/api/v2/services").headers.get("cache-control") for each in (both.theirs, both.ours)]
    assert asked == ["max-age=300, must-revalidate", None]
    both.met.excuse("caching")


def test_searches_find_the_same_traces_in_the_same_order(both: Pair, corpus: Corpus) -> None:
    for asked in questions.searches(SEED, 300, TRACES):
        _searched(both, corpus, asked)


def _searched(both: Pair, corpus: Corpus, asked: dict[str, str | int]) -> None:
    end, limit = int(asked["endTs"]), int(asked["limit"])
    begin = end - int(asked["lookback"])
    theirs, ours = map(by_id, both.get(_path({**asked, "limit": questions.EVERYTHING})))
    if joined := (theirs.keys() | ours.keys()) & corpus.halves:
        both.met.excuse("halves")
        theirs, ours = _whole(theirs, corpus), _whole(ours, corpus)
    assert ours == theirs, asked
    if list(theirs) != list(ours):
        both.met.excuse("newest")
        assert list(theirs) == corpus.as_they_order(theirs, begin, end), asked
        assert list(ours) == corpus.as_we_order(ours), asked
    if limit < questions.EVERYTHING and not joined:
        few = map(by_id, both.get(_path(asked)))
        assert [list(each) for each in few] == [list(theirs)[:limit], list(ours)[:limit]], asked


def _path(asked: dict[str, str | int]) -> str:
    return f"/api/v2/traces?{urlencode(asked)}"


def _whole(found: dict[str, list[str]], corpus: Corpus) -> dict[str, list[str]]:
    return {each: spans for each, spans in found.items() if each not in corpus.halves}


def test_dependencies_are_drawn_alike(both: Pair, corpus: Corpus) -> None:
    for end, lookback in questions.windows(SEED, 40, TRACES):
        theirs, ours = map(_sorted, both.get(f"/api/v2/dependencies?endTs={end}&lookback={lookback}"))
        assert theirs == _sorted(corpus.links(end - lookback, end)), (end, lookback)
        if ours != theirs:
            both.met.excuse("under way")
            assert ours == _sorted(corpus.links_under_way(end - lookback, end)), (end, lookback)


def test_dependencies_of_traces_under_two_ids_and_services_at_several_places(both: Pair, corpus: Corpus) -> None:
    end, lookback = (generated.BEGIN_US + 2 * generated.APART_US) // 1000, generated.APART_US // 1000
    theirs, ours = both.get(f"/api/v2/dependencies?endTs={end}&lookback={lookback}")
    assert _sorted(ours) == _sorted(corpus.links(end - lookback, end))
    calls, foretold = _calls(theirs), _calls(corpus.links(end - lookback, end, joined=True))
    assert _calls(ours) != foretold
    both.met.excuse("halves")
    assert calls != foretold
    both.met.excuse("endpoints")
    assert sum(((calls - foretold) | (foretold - calls)).values()) < 0.1 * calls.total()


def _sorted(links: list[dict[str, Any]]) -> list[str]:
    return sorted(map(text, links))


def _calls(links: list[dict[str, Any]]) -> Counter[tuple[str, str]]:
    return Counter({(each["parent"], each["child"]): each["callCount"] for each in links})


LEAST = {"traceId": "0" * 15 + "1", "id": "2", "timestamp": generated.BEGIN_US}
PROTOBUF = ((b"Content-Type", b"application/x-protobuf"),)


def _sent(**fields: Any) -> bytes:
    least = {"trace_id": b"\1" * 16, "id": b"\2" * 8, "timestamp": generated.BEGIN_US}
    return zipkin_pb2.ListOfSpans(spans=[zipkin_pb2.Span(**{**least, **fields})]).SerializeToString()


def _inside(span: bytes) -> bytes:
    whole = zipkin_pb2.Span(trace_id=b"\1" * 16, id=b"\2" * 8).SerializeToString() + span
    return b"\x0a" + bytes([len(whole)]) + whole


@pytest.mark.parametrize(
    ("name", "body", "headers", "statuses"),
    [
        ("zero id", json.dumps([{**LEAST, "id": "0"}]).encode(), JSON, (202, 400)),
        ("zero id", _sent(id=b"\0"), PROTOBUF, (202, 400)),
        ("behind", json.dumps([LEAST]).encode() + b" x", JSON, (202, 400)),
        ("sniffing", b"[]", PROTOBUF, (202, 400)),
        ("text", json.dumps([LEAST]).encode(), ((b"Content-Type", b"text/plain"),), (202, 415)),
        ("grammar", _inside(b"\x7b\x7c"), PROTOBUF, (400, 202)),
        ("grammar", _inside(b"\x60\x02"), PROTOBUF, (400, 202)),
        ("grammar", b"\x12\x02\x08\x01" + _sent(), PROTOBUF, (400, 202)),
    ],
)
def test_a_post_that_is_judged_differently_is_known(
    both: Pair, name: str, body: bytes, headers: Headers, statuses: tuple[int, int]
) -> None:
    sides = (both.theirs, both.ours)
    assert tuple(side.ask("POST", "/api/v2/spans", body, headers).status for side in sides) == statuses
    both.met.excuse(name)


@pytest.mark.parametrize(
    ("name", "number", "body", "headers", "theirs", "ours"),
    [
        ("mapped", 1, _sent(local_endpoint=_ip(b"\0" * 10 + b"\xff\xff\1\2\3\4")), PROTOBUF,
         {"ipv6": "::ffff:102:304"}, {"ipv4": "1.2.3.4"}),
        ("mapped", 2, _sent(local_endpoint=_ip(b"\0" * 12 + b"\1\2\3\4")), PROTOBUF,
         {"ipv4": "1.2.3.4"}, {"ipv6": "::102:304"}),
        ("leading zeros", 3, json.dumps([{**LEAST, "localEndpoint": {"ipv4": "010.1.1.1"}}]).encode(), JSON,
         {"ipv4": "010.1.1.1"}, None),
    ],
)  # fmt: skip
def test_an_address_that_is_read_differently_is_known(
    both: Pair, name: str, number: int, body: bytes, headers: Headers, theirs: Any, ours: Any
) -> None:
    trace_id = f"{number:016x}"
    sent = body.replace(b"\1" * 16, bytes.fromhex(trace_id.rjust(32, "a"))).replace(b"0" * 15 + b"1", trace_id.encode())
    both.post(Posted(sent, headers, 1))
    found = trace_id.rjust(32, "a") if headers == PROTOBUF else trace_id
    shown = both.shown(found)
    assert (shown[0][0].get("localEndpoint"), shown[1][0].get("localEndpoint")) == (theirs, ours)
    both.met.excuse(name)


@pytest.mark.parametrize(
    ("name", "method", "path", "headers", "statuses"),
    [
        ("nul", "GET", "/api/v2/traces?serviceName=%00", (), (400, 200)),
        ("method", "PUT", "/api/v2/services", (), (404, 405)),
        ("method", "HEAD", "/api/v2/services", (), (404, 200)),
        ("origin", "GET", "/api/v2/services", ((b"Origin", b"http://elsewhere.example"),), (200, 403)),
        ("version 1", "POST", "/api/v1/spans", JSON, (202, 404)),
    ],
)
def test_a_request_that_is_answered_differently_is_known(
    both: Pair, name: str, method: str, path: str, headers: Headers, statuses: tuple[int, int]
) -> None:
    body = b"[]" if method == "POST" else None
    assert tuple(side.ask(method, path, body, headers).status for side in (both.theirs, both.ours)) == statuses
    both.met.excuse(name)


def test_every_known_difference_was_met_and_is_told(both: Pair) -> None:
    assert both.met.names == DIFFERENCES.keys()
    page = " ".join((Path(__file__).parents[2] / "docs" / "traces.md").read_text().split())
    assert [each for each in DIFFERENCES.values() if each not in page] == []
