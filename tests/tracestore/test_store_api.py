from __future__ import annotations

import asyncio
import gzip
import json
from typing import Any

import pytest

from tests.tracestore.asking import JSON, NOW_US, asking, wire
from toolkit.engines.tracestore.bodies import MAX_BODY

NOW = NOW_US // 1000 + 1  # milliseconds, after the last span
HOUR = 3_600_000
CUT_OFF = gzip.compress(b"[]", mtime=0)[:-9]
PAGE = "<script>alert(1)</script>"


def trace_id(number: int) -> str:
    return str(wire(number)["traceId"])


LONG = (1 << 63) - 1


@pytest.mark.parametrize("name", ["endTs", "lookback", "minDuration", "limit"])
@pytest.mark.parametrize("text", [str(LONG + 1), "9" * 19, "9" * 5000], ids=["next", "nines", "thousands"])
async def test_a_number_beyond_64_bits_is_no_integer(name: str, text: str) -> None:
    async with asking() as it:
        for path in ("traces", "traces?serviceName=a") if name != "endTs" else ("traces", "dependencies"):
            answer = await it.get(f"/api/v2/{path}{'&' if '?' in path else '?'}{name}={text}")
            assert (answer.status, answer.body) == (400, f"{name} is not an integer".encode())


@pytest.mark.parametrize(
    "query",
    [
        f"traces?endTs={LONG}&lookback=1000",
        f"traces?endTs={LONG}&lookback=1000&serviceName=a",
        f"traces?endTs=1&lookback={LONG}",
        f"traces?serviceName=a&minDuration={LONG}",
        f"traces?serviceName=a&minDuration=1&maxDuration={LONG}&limit={(1 << 31) - 1}",
        f"dependencies?endTs={LONG}",
        f"dependencies?endTs={LONG}&lookback={LONG}",
        f"dependencies?endTs=1&lookback={LONG}",
    ],
)
async def test_the_largest_numbers_are_asked_for_like_any_other(query: str) -> None:
    async with asking() as it:
        await it.put(wire(1))
        assert isinstance(await it.json(f"/api/v2/{query}"), list)


@pytest.mark.parametrize("prefix", ["", "/zipkin"])
async def test_what_is_posted_can_be_got_back(prefix: str) -> None:
    async with asking() as it:
        span = wire(
            1, kind="SERVER", tags={"toolkit.message": "m"}, remoteEndpoint={"serviceName": "b", "ipv4": "1.2.3.4"}
        )
        answer = await it.post(json.dumps([span]).encode(), path=f"{prefix}/api/v2/spans")
        assert (answer.status, answer.body) == (202, b"")
        assert await it.json(f"{prefix}/api/v2/trace/{trace_id(1)}") == [span]


async def test_a_span_is_answered_as_zipkin_would_have_normalised_it() -> None:
    async with asking() as it:
        await it.put(
            {"traceId": "ABC".lower(), "id": "1", "parentId": "1", "name": "GET /X", "duration": 0, "nonsense": 1}
        )
        assert await it.json("/api/v2/trace/abc") == [
            {"traceId": "0000000000000abc", "id": "0000000000000001", "name": "get /x"}
        ]


async def test_spans_may_come_gzipped() -> None:
    async with asking() as it:
        body = gzip.compress(json.dumps([wire(1)]).encode())
        assert (await it.post(body, (*JSON, (b"Content-Encoding", b"gzip")))).status == 202
        assert len(await it.json(f"/api/v2/trace/{trace_id(1)}")) == 1


@pytest.mark.parametrize("body", [b"", b"[]", b" [] "])
async def test_no_spans_are_taken_like_any_other_number(body: bytes) -> None:
    async with asking() as it:
        assert (await it.post(body)).status == 202
        assert (await it.json("/info"))["store"]["spans"] == 0


@pytest.mark.parametrize(
    ("body", "headers", "status", "said"),
    [
        (b"{}", JSON, 400, b"not a JSON list of spans (Zipkin v2) (reading a list of spans from JSON)"),
        (b"[", JSON, 400, b"not JSON: Expecting value at line 1 column 2 (reading a list of spans from JSON)"),
        (b"[{}]", JSON, 400, b"span 0: traceId is missing (reading a list of spans from JSON)"),
        (b"[1]", (), 400, b"span 0: a span is a JSON object, not a number (reading a list of spans from JSON)"),
        (
            b"[" * 100_000,
            JSON,
            400,
            b"not JSON that can be read: nested too deeply (reading a list of spans from JSON)",
        ),
        (b"[]", ((b"Content-Encoding", b"gzip"),), 400, b"Cannot gunzip spans"),
        (
            gzip.compress(b"[]", mtime=0)[:-9],
            ((b"Content-Encoding", b"gzip"),),
            400,
            b"Cannot gunzip spans: it ends too early",
        ),
        (
            b"\x0a\x00",
            ((b"Content-Type", b"application/x-protobuf"),),
            400,
            b"span 0: traceId is empty (reading a list of spans from protobuf)",
        ),
        (b"[]", ((b"Content-Type", b"text/plain"),), 415, b"spans are taken as a list (Zipkin v2)"),
    ],
)
async def test_what_is_no_list_of_spans_is_refused_with_the_reason(
    body: bytes, headers: tuple[tuple[bytes, bytes], ...], status: int, said: bytes
) -> None:
    async with asking() as it:
        answer = await it.post(body, headers)
        assert answer.status == status
        assert answer.body.startswith(said)
        assert answer.header(b"content-type") == b"text/plain; charset=utf-8"


async def test_one_bad_span_keeps_out_the_good_ones_that_came_with_it() -> None:
    async with asking() as it:
        assert (await it.post(json.dumps([wire(1), {"id": "1"}]).encode())).status == 400
        assert (await it.get(f"/api/v2/trace/{trace_id(1)}")).status == 404


async def test_a_body_that_is_too_large_is_refused_packed_or_not() -> None:
    async with asking() as it:
        blanks = b"[" + b" " * MAX_BODY + b"]"
        packed = await it.post(gzip.compress(blanks), (*JSON, (b"Content-Encoding", b"gzip")))
        assert (packed.status, packed.body) == (413, b"more than 16777216 bytes of spans in one request")
        reader, writer = await asyncio.open_connection(it.store.host, it.store.port)
        writer.write(b"POST /api/v2/spans HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n\r\n")
        assert (await reader.readline()).split()[1] == b"413"
        writer.close()
        await it.put(wire(1))


async def test_a_span_sent_twice_is_kept_once() -> None:
    async with asking() as it:
        await asyncio.gather(*(it.put(wire(1), wire(1, 2)) for _ in range(20)))
        assert len(await it.json(f"/api/v2/trace/{trace_id(1)}")) == 2


async def test_many_may_post_at_once_and_nothing_is_lost() -> None:
    async with asking() as it:
        await asyncio.gather(*(it.put(*(wire(trace, number) for number in range(1, 41))) for trace in range(1, 51)))
        info = (await it.json("/info"))["store"]
        assert (info["traces"], info["spans"], info["evictedSpans"]) == (50, 2000, 0)


async def test_the_reason_for_not_finding_a_trace_is_its_normal_id() -> None:
    async with asking() as it:
        answer = await it.get("/api/v2/trace/9999")
        assert (answer.status, answer.body) == (404, b"0000000000009999 not found")


async def test_many_traces_are_asked_for_at_once() -> None:
    async with asking() as it:
        await it.put(wire(1), wire(2), wire(3), wire(3, 2))
        asked = ",".join(trace_id(each) for each in (3, 1, 7))
        assert [len(trace) for trace in await it.json(f"/api/v2/traceMany?traceIds={asked}")] == [2, 1]


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/api/v2/traceMany", b"parameter is missing: traceIds"),
        ("/api/v2/traceMany?traceIds=", b"traceIds parameter is empty"),
        ("/api/v2/traceMany?traceIds=1", b"Use /api/v2/trace/{traceId} endpoint to retrieve a single trace"),
        ("/api/v2/traceMany?traceIds=1,01", b"redundant traceId"),
        ("/api/v2/traceMany?traceIds=1,,2", b"traceId is empty"),
        ("/api/v2/traceMany?traceIds=1,ZZ", b"traceId 'ZZ' is not lower-case hex"),
        ("/api/v2/trace/ZZ", b"traceId 'ZZ' is not lower-case hex"),
        ("/api/v2/trace/", b"traceId is empty"),
        ("/api/v2/trace/" + "1" * 33, b"traceId has more than 32 digits"),
        ("/api/v2/traces?limit=0", b"limit <= 0"),
        ("/api/v2/traces?limit=x", b"limit is not an integer"),
        ("/api/v2/traces?limit=" + "9" * 30, b"limit is not an integer"),
        ("/api/v2/traces?limit=%D9%A3", b"limit is not an integer"),
        ("/api/v2/traces?endTs=-1", b"endTs <= 0"),
        ("/api/v2/traces?lookback=0", b"lookback <= 0"),
        ("/api/v2/traces?minDuration=0", b"minDuration <= 0"),
        ("/api/v2/traces?maxDuration=5", b"maxDuration is only valid with minDuration"),
        ("/api/v2/traces?minDuration=9&maxDuration=5", b"maxDuration < minDuration"),
        ("/api/v2/spans", b"parameter is missing: serviceName"),
        ("/api/v2/remoteServices", b"parameter is missing: serviceName"),
        ("/api/v2/dependencies", b"endTs is required (milliseconds since the epoch)"),
        ("/api/v2/dependencies?endTs=x", b"endTs is not an integer"),
        ("/api/v2/autocompleteValues", b"parameter is missing: key"),
        ("/api/v2/services?%ff", b"the query string cannot be read"),
        ("/api/v2/services?" + "a&" * 500, b"the query string cannot be read"),
    ],
)
async def test_a_question_that_makes_no_sense_is_refused_with_the_reason(path: str, said: bytes) -> None:
    async with asking() as it:
        answer = await it.get(path)
        assert (answer.status, answer.body) == (400, said)


@pytest.mark.parametrize(
    "path",
    [
        f"/{PAGE}",
        f"/api/v2/trace/{PAGE}",
        f"/api/v2/traceMany?traceIds=1,{PAGE}",
        f"/api/v2/traces?limit={PAGE}",
        f"/api/v2/traces?serviceName={PAGE}&annotationQuery={PAGE}",
        f"/api/v2/spans?serviceName={PAGE}",
        "/api/v2/../../etc/passwd",
        "/api/v2/trace/..%2f..%2fetc%2fpasswd",
    ],
)
async def test_no_answer_repeats_a_page_or_a_path_that_was_asked_for(path: str) -> None:
    async with asking() as it:
        answer = await it.get(path)
        assert b"<" not in answer.body
        assert b"root:" not in answer.body
        assert answer.header(b"x-content-type-options") == b"nosniff"
        assert not (answer.header(b"content-type") or b"").startswith(b"text/html")


@pytest.mark.parametrize(
    "path", ["/index.html", "/nope", "/api/v1/spans", "/api/v2/services/", "/zipkin/zipkin/health"]
)
async def test_what_is_not_there_is_not_found(path: str) -> None:
    async with asking() as it:
        answer = await it.get(path)
        assert (answer.status, answer.body) == (404, b"not found")


async def test_a_method_that_is_not_there_is_refused_with_those_that_are() -> None:
    async with asking() as it:
        answer = await it.get("/api/v2/spans", method="DELETE")
        assert (answer.status, answer.header(b"allow")) == (405, b"GET, HEAD, POST")
        assert (await it.get("/api/v2/services", method="PUT")).header(b"allow") == b"GET, HEAD"
        head = await it.get("/health", method="HEAD")
        assert (head.status, head.body) == (200, b"")


async def test_names_are_those_of_the_spans_that_are_there_sorted_and_in_lower_case() -> None:
    async with asking() as it:
        await it.put(
            wire(1, localEndpoint={"serviceName": "Shop"}, name="POST", remoteEndpoint={"serviceName": "DB"}),
            wire(1, 2, localEndpoint={"serviceName": "shop"}, name="get"),
            wire(2, localEndpoint={"serviceName": "bank"}, name=None),
            wire(3, localEndpoint=None),
        )
        assert await it.json("/api/v2/services") == ["bank", "shop"]
        assert await it.json("/api/v2/spans?serviceName=SHOP") == ["get", "post"]
        assert await it.json("/api/v2/spans?serviceName=bank") == []
        assert await it.json("/api/v2/remoteServices?serviceName=shop") == ["db"]
        assert await it.json("/api/v2/spans?serviceName=") == []


def found(number: int, **fields: Any) -> dict[str, Any]:
    return wire(number, localEndpoint={"serviceName": "shop"}, **fields)


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("", [1, 2, 3]),
        ("limit=2", [1, 2]),
        ("serviceName=shop", [1, 2]),
        ("serviceName=SHOP&spanName=Buy", [1]),
        ("spanName=buy", [1, 3]),
        ("spanName=all", [1, 2, 3]),
        ("serviceName=shop&remoteServiceName=db", [2]),
        ("serviceName=bank&remoteServiceName=db", []),
        ("annotationQuery=error", [2]),
        ("annotationQuery=http.method=GET", [1]),
        ("annotationQuery=http.method", [1, 2]),
        ("annotationQuery=retry", [2]),
        ("annotationQuery=http.method=POST%20and%20error", [2]),
        ("annotationQuery=http.method=GET%20and%20error", []),
        ("serviceName=bank&annotationQuery=error", []),
        ("minDuration=150", [2, 3]),
        ("minDuration=150&maxDuration=250", [2]),
        ("minDuration=100&maxDuration=100", [1]),
        ("lookback=1500", [1, 2]),
        (f"endTs={NOW - 1500}", [3]),
        (f"endTs={NOW - 2001}", []),
    ],
)
async def test_traces_are_found_by(query: str, wanted: list[int]) -> None:
    """The newest first."""
    async with asking() as it:
        await it.put(
            found(1, name="buy", tags={"http.method": "GET"}),
            found(
                2,
                timestamp=NOW_US - 1_000_000,
                duration=200,
                tags={"http.method": "POST", "error": ""},
                annotations=[{"timestamp": 1, "value": "retry"}],
                remoteEndpoint={"serviceName": "db"},
            ),
            wire(3, name="buy", timestamp=NOW_US - 2_000_000, duration=300, localEndpoint={"serviceName": "bank"}),
        )
        end = "" if "endTs" in query else f"&endTs={NOW}"
        assert await it.trace_ids(query + end) == [trace_id(each) for each in wanted]


async def test_a_trace_is_as_old_as_its_root() -> None:
    async with asking() as it:
        await it.put(wire(1, 2, parentId="1", timestamp=NOW_US - 10_000_000), wire(1, 1, timestamp=NOW_US))
        assert await it.trace_ids(f"endTs={NOW}&lookback=1000") == [trace_id(1)]
        assert await it.trace_ids(f"endTs={NOW - 5000}&lookback=6000") == []


async def test_a_trace_without_times_is_found_by_its_id_only() -> None:
    async with asking() as it:
        await it.put(wire(1, timestamp=None))
        assert await it.trace_ids(f"endTs={NOW}&lookback={NOW}") == []
        assert len(await it.json(f"/api/v2/trace/{trace_id(1)}")) == 1


async def test_dependencies_count_who_called_whom_within_the_time_asked_for() -> None:
    def call(trace: int, start: int, **tags: str) -> tuple[dict[str, Any], dict[str, Any]]:
        return (
            wire(trace, 1, kind="CLIENT", timestamp=start),
            wire(trace, 2, parentId="1", kind="SERVER", timestamp=start, localEndpoint={"serviceName": "b"}, tags=tags),
        )

    async with asking() as it:
        await it.put(*call(1, NOW_US), *call(2, NOW_US, error="x"), *call(3, NOW_US - HOUR * 1000))
        assert await it.json(f"/api/v2/dependencies?endTs={NOW}&lookback={HOUR // 2}") == [
            {"parent": "a", "child": "b", "callCount": 2, "errorCount": 1}
        ]
        assert await it.json(f"/api/v2/dependencies?endTs={NOW - HOUR}") == [
            {"parent": "a", "child": "b", "callCount": 1}
        ]
        assert await it.json("/api/v2/dependencies?endTs=1") == []


async def test_autocompletion_is_there_and_knows_nothing() -> None:
    async with asking() as it:
        assert await it.json("/api/v2/autocompleteKeys") == []
        assert await it.json("/api/v2/autocompleteValues?key=x") == []


async def test_health_and_info() -> None:
    async with asking(max_spans=7) as it:
        await it.put(wire(1))
        assert (await it.json("/health"))["status"] == "UP"
        store = (await it.json("/info"))["store"]
        assert (store["traces"], store["spans"], store["maxSpans"], store["evictedTraces"]) == (1, 1, 7, 0)


async def test_the_oldest_traces_go_whole_when_the_store_is_full_and_it_says_so() -> None:
    async with asking(max_spans=4) as it:
        await it.put(wire(1, 1), wire(1, 2), wire(2, 1, localEndpoint={"serviceName": "old"}), wire(3, 1))
        assert it.warnings == []
        await it.put(wire(4, 1))
        assert (await it.get(f"/api/v2/trace/{trace_id(1)}")).status == 404
        assert await it.trace_ids(f"endTs={NOW}") == [trace_id(each) for each in (2, 3, 4)]
        info = (await it.json("/info"))["store"]
        assert (info["spans"], info["evictedTraces"], info["evictedSpans"]) == (3, 1, 2)
        assert it.warnings == [
            "full: 1 of the oldest traces (2 spans) were forgotten to stay within 4 spans and 512 MiB"
        ]
        await it.put(wire(5, 1), wire(6, 1))
        assert await it.json("/api/v2/services") == ["a"]


async def test_large_spans_fill_the_store_by_their_bytes() -> None:
    async with asking(max_bytes=20_000) as it:
        for trace in range(1, 11):
            await it.put(wire(trace, tags={"payload": "x" * 5000}))
        info = (await it.json("/info"))["store"]
        assert info["spans"] == 3
        assert info["bytes"] <= 20_000


@pytest.mark.parametrize(
    "headers",
    [
        ((b"Host", b"evil.example"),),
        ((b"Host", b"evil.example:9411"), (b"Origin", b"http://evil.example:9411")),
        ((b"Origin", b"https://evil.example"),),
        ((b"Origin", b"null"),),
        ((b"Host", b"127.0.0.1.evil.example"),),
    ],
)
async def test_a_page_in_a_browser_can_neither_read_nor_write(headers: tuple[tuple[bytes, bytes], ...]) -> None:
    async with asking() as it:
        assert (await it.get("/api/v2/services", *headers)).status == 403
        assert (await it.post(json.dumps([wire(1)]).encode(), (*JSON, *headers))).status == 403
        assert (await it.json("/info"))["store"]["spans"] == 0


@pytest.mark.parametrize("host", [b"localhost:9411", b"127.0.0.1", b"[::1]:9411", b"zipkin.localhost"])
async def test_this_machines_own_names_are_answered(host: bytes) -> None:
    async with asking() as it:
        assert (await it.get("/health", (b"Host", host), (b"Origin", b"http://" + host))).status == 200


async def test_values_of_the_tags_that_were_named_can_be_asked_for() -> None:
    async with asking(autocomplete_keys=("http.method", "zone")) as it:
        await it.put(wire(1, tags={"http.method": "GET", "other": "x"}), wire(2, tags={"http.method": "POST"}))
        assert await it.json("/api/v2/autocompleteKeys") == ["http.method", "zone"]
        assert await it.json("/api/v2/autocompleteValues?key=http.method") == ["GET", "POST"]
        assert await it.json("/api/v2/autocompleteValues?key=zone") == []
        assert await it.json("/api/v2/autocompleteValues?key=other") == []


async def test_questions_are_answered_while_spans_come_in() -> None:
    async with asking() as it:
        posts = [it.put(*(wire(trace, number) for number in range(1, 61))) for trace in range(1, 101)]
        questions = [it.json(f"/api/v2/traces?endTs={NOW}&limit=5") for _ in range(20)]
        answered = await asyncio.gather(*posts, *questions)
        assert all(len(trace) == 60 for found in answered[100:] for trace in found)
        assert (await it.json("/info"))["store"]["spans"] == 6000
