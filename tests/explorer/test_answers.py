"""What the page's server answers, and whom it answers nothing."""

from __future__ import annotations

import re

import pytest

from tests.explorer.asking import OTHER, TRACES, asking
from tests.unit.report.traces.made import HOSTILE, problems, traced
from toolkit.explorer.fixed import Fixed
from toolkit.report.html.sources import hashed

FIRST, SECOND = TRACES[0][0].trace, TRACES[1][0].trace


async def test_the_page_may_run_its_own_script_and_ask_its_own_server_and_nothing_else() -> None:
    async with asking() as page:
        answer = await page.get("/")
    text = answer.body.decode()
    assert answer.header(b"content-type") == b"text/html; charset=utf-8"
    policy = (answer.header(b"content-security-policy") or b"").decode()
    (style,) = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    assert policy == (
        f"default-src 'none'; style-src '{hashed(style)}'; script-src '{hashed(script)}'; connect-src 'self'; "
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    assert 'id="traces-data">null</script>' in text
    assert not re.search(r"""(?:src|href)\s*=\s*["']?(?:https?:)?//""", text)


@pytest.mark.parametrize("path", ["/", "/data/overview", "/data/trace?id=1", "/nowhere"])
async def test_every_answer_is_for_nobody_elses_page(path: str) -> None:
    async with asking() as page:
        answer = await page.get(path)
    told = {name.lower(): value for name, value in answer.headers}
    assert told[b"x-content-type-options"] == b"nosniff"
    assert told[b"referrer-policy"] == b"no-referrer"
    assert told[b"cache-control"] == b"no-store"
    assert told[b"cross-origin-resource-policy"] == b"same-origin"
    assert b"default-src 'none'" in told[b"content-security-policy"]
    assert b"access-control-allow-origin" not in told


@pytest.mark.parametrize(
    "header",
    [
        (b"Host", b"evil.example"),
        (b"Host", b"127.0.0.1.evil.example:80"),
        (b"Origin", b"http://evil.example"),
        (b"Origin", b"null"),
    ],
)
async def test_a_page_of_somebody_else_gets_nothing(header: tuple[bytes, bytes]) -> None:
    async with asking() as page:
        for path in ("/", "/data/overview"):
            answer = await page.get(path, header)
            assert answer.status == 403
            assert FIRST.encode() not in answer.body


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
async def test_nothing_can_be_changed(method: str) -> None:
    async with asking() as page:
        answer = await page.get("/data/overview", method=method)
    assert (answer.status, answer.header(b"allow")) == (405, b"GET, HEAD")


async def test_a_head_is_as_long_as_its_get() -> None:
    async with asking() as page:
        head, got = await page.get("/", method="HEAD"), await page.get("/")
    assert (head.status, head.body) == (200, b"")
    assert head.header(b"content-length") == got.header(b"content-length")


async def test_documents_are_what_the_schema_says() -> None:
    async with asking(against=Fixed(traced(OTHER))) as page:
        assert problems("overview", await page.json("/data/overview")) == []
        assert problems("trace", await page.json(f"/data/trace?id={FIRST}")) == []
        assert problems("search", await page.json("/data/search")) == []
        assert problems("difference", await page.json(f"/data/diff?a={FIRST}&b={SECOND}")) == []
        assert problems("error", await page.json("/data/nothing", status=404)) == []


async def test_hostile_words_come_as_json_that_holds_no_markup() -> None:
    async with asking() as page:
        answer = await page.get(f"/data/trace?id={TRACES[11][0].trace}")
        document = await page.json(f"/data/trace?id={TRACES[11][0].trace}")
    assert b"<" not in answer.body
    assert document["rows"][0]["name"] == HOSTILE


BAD = {
    "/data/overview?x=1": "there is no such parameter here; there is none",
    "/data/trace": "id is the id of a trace: 1 to 32 hex digits",
    "/data/trace?id=../../etc": "id is the id of a trace: 1 to 32 hex digits",
    f"/data/trace?id={FIRST}&from=here": "from is 'against', or not there",
    f"/data/trace?id={FIRST}&from=against": "there is nothing to compare against here; start the page with --against",
    f"/data/diff?a={FIRST}": "b is the id of a trace: 1 to 32 hex digits",
    "/data/search?limit=0": "limit is a whole number from 1 to 1000",
    "/data/search?limit=1001": "limit is a whole number from 1 to 1000",
    "/data/search?limit=%D9%A1": "limit is a whole number from 1 to 1000",
    "/data/search?min_us=-1": "min_us is a whole number of microseconds",
    "/data/search?min_us=1e3": "min_us is a whole number of microseconds",
    "/data/search?max_us=" + "9" * 400: "max_us is a whole number of microseconds",
    "/data/search?min_us=2&max_us=1": "max_us is less than min_us",
    "/data/search?sort=best": "sort is newest or slowest",
    "/data/search?failed=maybe": "failed is 1 or 0",
    "/data/search?tag==x": "tag is a tag's name, or name=value",
    "/data/search?service=" + "x" * 1001: "a parameter is longer than 1000 characters",
    "/data/search?service=%FF": "the query string cannot be read",
    "/data/search?" + "&".join(["a=1"] * 60): "the query string cannot be read",
}


@pytest.mark.parametrize("path", BAD, ids=range(len(BAD)))
async def test_what_makes_no_sense_gets_one_sentence(path: str) -> None:
    async with asking() as page:
        assert await page.json(path, status=400) == {"error": BAD[path]}


async def test_a_trace_that_is_not_there_is_told() -> None:
    async with asking() as page:
        assert (
            "there is no trace abcabcabcabcabca here"
            in (await page.json("/data/trace?id=" + "abc" * 5 + "a", 404))["error"]
        )
        assert "there is no trace" in (await page.json(f"/data/diff?a={FIRST}&b={'f' * 32}", 404))["error"]


async def test_a_trace_of_the_other_run_is_asked_for_there() -> None:
    other = OTHER[0][0].trace
    async with asking(against=Fixed(traced(OTHER))) as page:
        assert (await page.json(f"/data/trace?id={other}&from=against"))["id"] == other
        await page.json(f"/data/trace?id={other}", status=404)
        found = await page.json(f"/data/diff?a={FIRST}&b={other}&b_from=against")
        assert (found["a"]["duration_us"], found["b"]["duration_us"]) == (1300, 2600)
        assert (await page.json("/data/search?from=against&limit=1"))["traces"][0]["id"] == OTHER[-1][0].trace


SEARCHES = {
    "": 12,
    "service=BANK": 1,
    "service=nobody": 0,
    "span=emit": 10,
    "span=emit&service=caller": 0,
    "tag=error": 2,
    "tag=error%3Dno money": 1,
    "tag=error%3Dno money&service=bank": 0,
    "failed=1": 2,
    "failed=0": 12,
    "min_us=13000": 1,
    "max_us=1300&service=caller": 1,
    "min_us=2600&max_us=3900": 2,
    "limit=3": 3,
}


@pytest.mark.parametrize("asked", SEARCHES)
async def test_a_search_finds_what_is_asked_for(asked: str) -> None:
    async with asking() as page:
        found = await page.json(f"/data/search?{asked.replace(' ', '%20')}")
    assert len(found["traces"]) == SEARCHES[asked]
    assert found["more"] == (asked == "limit=3")


async def test_a_search_is_in_the_order_that_is_asked_for() -> None:
    async with asking() as page:
        newest = [each["start_us"] for each in (await page.json("/data/search"))["traces"]]
        slowest = [each["duration_us"] for each in (await page.json("/data/search?sort=slowest"))["traces"]]
    assert newest == sorted(newest, reverse=True)
    assert slowest == sorted(slowest, reverse=True)
