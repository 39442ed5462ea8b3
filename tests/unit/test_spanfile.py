"""Files of spans: in whatever form they come, each trace comes out whole; and whatever else a file is, is told."""

from __future__ import annotations

import gzip
import json
import random
import tempfile
import tracemalloc
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.measure.many import trace
from tests.unit.traces.made import any_span, calm
from toolkit import spanfile, spanread
from toolkit.errors import UsageError
from toolkit.spanread import spans_in
from toolkit.traces import tree, wire, zipkin, zipkinproto
from toolkit.traces.model import Span

SPANS = [span for number in range(1, 6) for span in trace(number)]
WIRE = [zipkin.to_wire(span) for span in SPANS]
LINES = "".join(json.dumps(each) + "\n" for each in WIRE)
FORMS = {
    "a list": json.dumps(WIRE),
    "an indented list": json.dumps(WIRE, indent=2),
    "a list of traces": json.dumps([WIRE[at : at + 4] for at in range(0, 20, 4)]),
    "a span a line": LINES,
    "a list a line": "\n".join(json.dumps(WIRE[at : at + 4]) for at in range(0, 20, 4)),
    "a byte order mark": "\ufeff" + json.dumps(WIRE),
    "blanks": f" \r\n\t {json.dumps(WIRE)}  \n\n",
    "lines that end as on Windows": LINES.replace("\n", "\r\n"),
}


def read(path: Path, **more: Any) -> dict[str, list[Span]]:
    found = list(spanfile.traces(path, **more))
    assert len({spans[0].trace for spans in found}) == len(found), "each trace comes once"
    return {spans[0].trace: spans for spans in found}


def written(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def said(path: Path, text: str | bytes) -> str:
    with pytest.raises(UsageError) as raised:
        list(spanfile.traces(written(path / "spans.json", text)))
    assert raised.value.next_step
    return str(raised.value).removeprefix(f"{path / 'spans.json'}")


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("form", FORMS)
def test_every_form_tells_the_same_traces(tmp_path: Path, form: str, packed: bool) -> None:
    data = FORMS[form].encode()
    path = written(tmp_path / "spans", gzip.compress(data) if packed else data)
    assert read(path) == tree.by_trace(SPANS)


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_protobuf_tells_the_same_traces_wherever_their_spans_are(tmp_path: Path, packed: bool) -> None:
    mixed = random.Random(3).sample(SPANS, len(SPANS))
    data = zipkinproto.encode(mixed)
    path = written(tmp_path / "spans.pb", gzip.compress(data) if packed else data)
    for in_memory in (1 << 20, 100):
        assert read(path, in_memory=in_memory) == tree.by_trace(mixed)
    assert "protobuf that ends within a span" in said(tmp_path, data[:-3])


def test_what_is_written_is_a_list_with_one_span_a_line_and_traces_together(tmp_path: Path) -> None:
    mixed = random.Random(1).sample(SPANS, len(SPANS))
    spanfile.write(tmp_path / "spans.json", mixed)
    data = (tmp_path / "spans.json").read_bytes()
    assert zipkin.decode(data) == [span for spans in tree.by_trace(mixed).values() for span in spans]
    first, *lines, last = data.decode().splitlines()
    assert (first, last, len(lines)) == ("[", "]", len(SPANS))
    assert [json.loads(line.rstrip(",")) for line in lines] == json.loads(data)


def test_no_spans_are_an_empty_list(tmp_path: Path) -> None:
    spanfile.write(tmp_path / "spans.json", [])
    assert json.loads((tmp_path / "spans.json").read_bytes()) == []
    assert read(tmp_path / "spans.json") == {}


@pytest.mark.parametrize("text", ["", "[]", "  \n", "[[]]", "[[],[]]", "\ufeff"])
def test_a_file_without_spans_has_no_traces(tmp_path: Path, text: str) -> None:
    assert read(written(tmp_path / "spans.json", text)) == {}


@pytest.mark.parametrize("in_memory", [1 << 20, 1500, 1], ids=["at once", "in a few files", "in many files"])
def test_spans_that_are_apart_are_brought_together(tmp_path: Path, in_memory: int) -> None:
    mixed = random.Random(2).sample(SPANS, len(SPANS))
    path = written(tmp_path / "spans.json", json.dumps([zipkin.to_wire(span) for span in mixed]))
    assert read(path, in_memory=in_memory) == tree.by_trace(mixed)


def test_temporary_files_are_gone_even_when_nobody_reads_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    apart = written(tmp_path / "spans.json", json.dumps(WIRE[::2] + WIRE[1::2]))
    reading = spanfile.traces(apart, in_memory=1)
    assert len(next(reading)) == 4
    reading.close()  # type: ignore[attr-defined]  # it is a generator
    assert [each.name for each in tmp_path.iterdir()] == ["spans.json"]


def test_ids_that_mean_the_same_are_one_trace(tmp_path: Path) -> None:
    one, other = ({**WIRE[at], "traceId": told} for at, told in ((0, "1"), (1, "0" * 31 + "1")))
    between = {**WIRE[2], "traceId": "2"}
    found = read(written(tmp_path / "spans.json", json.dumps([one, between, other])))
    assert {name: len(spans) for name, spans in found.items()} == {f"{1:016x}": 2, f"{2:016x}": 1}


def test_ids_that_hide_are_told_where_they_would_be_torn_apart(tmp_path: Path) -> None:
    hidden = json.dumps([WIRE[0], WIRE[4], WIRE[1]]).replace("traceId", "trace\\u0049d")
    assert "are apart" in said(tmp_path, hidden)


@given(st.lists(any_span(), max_size=6), st.integers(9, 400), st.sampled_from([None, 1]), st.booleans())
@calm
def test_pieces_of_any_size_are_the_same_spans(
    spans: list[Span], size: int, indent: int | None, ascii_only: bool
) -> None:
    data = json.dumps([zipkin.to_wire(each) for each in spans], indent=indent, ensure_ascii=ascii_only).encode()
    assert [found.span for found in spans_in(cut(data, size))] == spans


@given(st.lists(any_span(), min_size=1, max_size=4), st.data())
@calm
def test_a_stream_that_ends_too_early_is_told_after_what_was_whole(spans: list[Span], data: st.DataObject) -> None:
    whole = json.dumps([zipkin.to_wire(each) for each in spans]).encode()
    torn = whole[: data.draw(st.integers(1, len(whole) - 1))]
    found: list[Span] = []
    with pytest.raises((spanread.Cut, UnicodeDecodeError)):
        found.extend(each.span for each in spans_in(cut(torn, 100)))
    assert found == spans[: len(found)]


@given(st.lists(any_span(), max_size=6), st.integers(9, 400), st.sampled_from(["\n", "\r\n", "\n\n"]), st.booleans())
@calm
def test_a_span_a_line_is_the_same_span(spans: list[Span], size: int, end: str, listed: bool) -> None:
    lines = [json.dumps(zipkin.to_wire(each), ensure_ascii=size % 2 == 0) for each in spans]
    text = f"[{end}{f',{end}'.join(lines)}{end}]" if listed else "".join(line + end for line in lines)
    assert [found.span for found in spans_in(cut(text.encode(), size))] == spans


def cut(data: bytes, size: int) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


odd = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**65), 2**65) | st.text(max_size=20)
    | st.sampled_from(["0" * 16, "a" * 16, "CLIENT", "1"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)  # fmt: skip
KEYS = ("traceId", "id", "parentId", "kind", "name", "timestamp", "duration", "localEndpoint", "remoteEndpoint",
        "annotations", "tags", "debug", "shared", "other", "binaryAnnotations")  # fmt: skip
endpoints = st.dictionaries(st.sampled_from(["serviceName", "ipv4", "ipv6", "port", "x"]), odd, max_size=3)


@given(any_span(), st.dictionaries(st.sampled_from(KEYS), odd | endpoints, max_size=2), st.sets(st.sampled_from(KEYS)))
@calm
def test_the_short_way_ends_where_the_long_one_does(span: Span, changed: dict[str, Any], gone: set[str]) -> None:
    raw = {**zipkin.to_wire(span), **changed}
    raw = {key: value for key, value in raw.items() if key not in gone or key in changed}
    assert outcome(lambda: spanread.span_of(raw)) == outcome(lambda: zipkin.to_span(wire.normal(raw)))


def outcome(read_one: Any) -> Span | str:
    try:
        found: Span = read_one()
    except wire.Refused as refused:
        return str(refused)
    return found


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (f"[\n{json.dumps(WIRE[0])}\n{json.dumps(WIRE[1])}\n]", ": not JSON: a comma or the end"),
        (f"[\n{json.dumps(WIRE[0])},\n]", ": not JSON: neither a span"),
        (f"{json.dumps(WIRE[0])},\n{json.dumps(WIRE[1])}\n", ": not JSON: neither a span"),
        ("hello", ": not JSON: neither a span nor a list of spans, at 'hello'"),
        ("3", ": not JSON: neither a span"),
        ('["a"]', ": not JSON: neither a span"),
        ("[{}]", ": span 0: traceId is missing"),
        (json.dumps([WIRE[0], {**WIRE[1], "id": "xyz"}]), ": span 1: id 'xyz' is not lower-case hex"),
        ('[{"traceId": nope}]', ": not JSON: Expecting value"),
        ('[{"traceId": NaN, "id": "1"}]', ": NaN is not JSON"),
        (f'[{{"traceId": "1", "id": "2", "timestamp": {"9" * 5000}}}]', ": Exceeds the limit"),
        ("[" * 100_000 + "{}", ": not JSON"),
        ('[{"a":' + "[" * 100_000 + "]" * 100_000 + "}]", ": not JSON that can be read: nested too deeply"),
        ('{"resourceSpans": []}', ": span 0: traceId is missing"),
        ("[" + json.dumps(WIRE[0]) + " " + json.dumps(WIRE[1]) + "]", ": not JSON: a comma or the end"),
        (b"\xff\xfe[]", ": not UTF-8"),
        (b"\x00" * 50, ": not JSON"),
        (b"\x1f\x8b" + b"garbage" * 9, ": not gzip"),
        (gzip.compress(b"[]", mtime=0) + b"more", ": not gzip"),
    ],
    ids=lambda each: None if len(each) < 40 else "long",
)
def test_what_is_no_spans_is_one_clear_error(tmp_path: Path, text: str | bytes, reason: str) -> None:
    assert said(tmp_path, text).startswith(reason)


def test_a_file_that_is_cut_off_gives_what_is_whole_and_says_so(tmp_path: Path) -> None:
    path = written(tmp_path / "spans.json", json.dumps(WIRE)[:-300])
    found: list[list[Span]] = []
    with pytest.raises(spanfile.CutOff, match="is cut off: it ends behind 18 whole spans"):
        found.extend(spanfile.traces(path))
    assert found == list(tree.by_trace(SPANS).values())[:4]


def test_a_packed_file_that_is_cut_off_is_told(tmp_path: Path) -> None:
    path = written(tmp_path / "spans.json.gz", gzip.compress(json.dumps(WIRE).encode())[:-20])
    with pytest.raises(spanfile.CutOff):
        list(spanfile.traces(path))


def test_a_file_that_is_not_there_or_no_file_is_told(tmp_path: Path) -> None:
    for path in (tmp_path / "nothing", tmp_path):
        with pytest.raises(UsageError, match="cannot be read"):
            list(spanfile.traces(path))


def test_one_endless_span_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spanread, "LARGEST", 100_000)
    monkeypatch.setattr(spanfile, "CHUNK", 10_000)
    assert "longer than" in said(tmp_path, '[{"traceId": "' + "a" * 1_000_000)


def test_half_characters_become_question_marks(tmp_path: Path) -> None:
    text = json.dumps([{**WIRE[0], "tags": {"said": "\ud800"}}])
    for end in ("", "\n"):
        ((span,),) = read(written(tmp_path / "spans.json", text[1:-1] + end)).values()
        assert span.tags == {"said": "?"}


def test_reading_holds_one_trace_and_a_piece_of_the_file_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spanfile, "CHUNK", 1 << 14)
    spanfile.write(tmp_path / "spans.json", (span for number in range(1, 1501) for span in trace(number)))
    size = (tmp_path / "spans.json").stat().st_size
    tracemalloc.start()
    try:
        assert count(spanfile.traces(tmp_path / "spans.json")) == 1500
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < size / 2


def count(traces: Iterable[list[Span]]) -> int:
    return sum(1 for _ in traces)
