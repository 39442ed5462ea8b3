"""Reads when functions were called from the CSV files in which such records are published. Pure: lines in, text out.

Counts per minute: the Azure Functions trace of 2019 and the `invocations.csv` of invitro's traces (some columns with
names, then `1`, `2`, …). One line a call: invitro's results (`startTime`), the Azure trace of 2021 (`end_timestamp` and
`duration`), any column of times, and a file of nothing but times.

May live here: these formats, and every way in which a file is none of them. May not: opening files, draws.
"""

from __future__ import annotations

import csv
import itertools
import operator
import re
from array import array
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal

from toolkit.contract.units import shown
from toolkit.errors import UsageError
from toolkit.load import recorded
from toolkit.load.arrivals import SECOND, Arrivals

MINUTE = 60 * SECOND
MOST_ROWS = 10_000_000  # one time each
MOST_TOLD = 10  # problems
UNITS = {"s": SECOND, "ms": 1_000_000, "us": 1_000, "ns": 1}
LONGEST_NS = 1000 * 24 * 60 * MINUTE
KEPT_NS = 1_000  # times are kept to the microsecond
_COUNT = re.compile(r"[0-9]{1,12}", re.ASCII)
_TIME = re.compile(r"[0-9]{1,20}(\.[0-9]{0,30})?([eE][+-]?[0-9]{1,2})?", re.ASCII)
Row = tuple[int, list[str]]  # the number of its line, from 1 on, and its cells


def read(lines: Iterable[str], wanted: Arrivals) -> str:
    """The recording that goes with a load. `wanted` says which part of the file, and how it is scaled.

    Raises UsageError that names the file and the lines. Comes line by line: a large file takes the memory of its times.
    """
    rows = _rows(lines, wanted.file)
    first = next(rows, None)
    if first is None:
        raise _no(wanted, "it is empty")
    header = [cell.strip() for cell in first[1]]
    names = len(header) - len(_buckets(header))
    if names < len(header):
        return _counted(header[:names], len(header) - names, rows, wanted)
    return _timed(header, first, rows, wanted)


def _rows(lines: Iterable[str], file: str) -> Iterator[Row]:
    reader = csv.reader(_text(lines, file))
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise UsageError(f"{file}:{reader.line_num + 1}: no CSV ({error})") from error
        if any(cell.strip() for cell in cells):
            yield reader.line_num, cells


def _text(lines: Iterable[str], file: str) -> Iterator[str]:
    for number, line in enumerate(lines, 1):
        if "\0" in line:
            raise UsageError(f"{file}:{number}: no CSV (it has bytes that no text has)")
        yield line


def _buckets(header: Sequence[str]) -> Sequence[str]:
    """The cells at the end that count `1`, `2`, …; none when these are not columns of counts."""
    if "1" not in header:
        return ()
    ends = header[header.index("1") :]
    return ends if list(ends) == [str(place) for place in range(1, len(ends) + 1)] and len(ends) < len(header) else ()


def _counted(names: Sequence[str], buckets: int, rows: Iterable[Row], wanted: Arrivals) -> str:
    if wanted.column is not None:
        raise _no(wanted, "column= is for files of times; this one has counts", "choose row= and minutes=")
    if wanted.unit not in (None, "s"):
        raise _no(wanted, "its columns are minutes, or seconds with unit=s", "leave unit= away")
    low, high = wanted.minutes or (1, buckets)
    if high > buckets:
        raise _no(wanted, f"minutes={low}-{high}: it has {buckets:,}", f"choose from 1 to {buckets}")
    sums, chosen, seen = [0] * (high - low + 1), 0, 0
    problems: list[str] = []
    for place, (line, cells) in enumerate(rows, 1):
        seen = place
        if not _is_wanted(wanted.row, place, cells[: len(names)]):
            continue
        chosen += 1
        counts = cells[len(names) :][low - 1 : high]
        if not _are_counts(counts, len(sums)):
            problems += _wrong(line, counts, len(sums), len(names) + low)
        if not problems:
            sums = list(map(operator.add, sums, map(int, counts)))
        if len(problems) > MOST_TOLD or str(place) == wanted.row:
            break
    _refuse(problems, wanted)
    _see_that_it_is_one(wanted, chosen, seen)
    unit_ns = max(1, round((SECOND if wanted.unit == "s" else MINUTE) * wanted.time))
    _see_that_it_ends(len(sums) * unit_ns, wanted)
    return recorded.text("counts", unit_ns, _scaled(sums, wanted.rate))


def _is_wanted(row: str | None, place: int, names: Sequence[str]) -> bool:
    """`row` is a number from 1 on, `all`, or how one of the cells with names begins."""
    if row is None or row == "all":
        return True
    return place == int(row) if _COUNT.fullmatch(row) else any(cell.startswith(row) for cell in names)


def _see_that_it_is_one(wanted: Arrivals, chosen: int, rows: int) -> None:
    if chosen == 0:
        found = f"row={wanted.row}: there is none among its {rows:,}" if rows else "it has a header and no row"
        raise _no(wanted, found, "choose row=1, row=all, or row= and how a function's name begins")
    if chosen > 1 and wanted.row != "all":
        found = f"it has {rows:,} rows" if wanted.row is None else f"row={wanted.row} begins {chosen:,} rows"
        raise _no(wanted, found, "choose one, such as row=1, or row=all for all of them together")


def _are_counts(cells: Sequence[str], wanted: int) -> bool:
    """Of a whole row at once: a trace of a day has millions of cells."""
    together = "".join(cells)
    return (
        len(cells) == wanted and all(cells) and together.isascii() and together.isdigit() and max(map(len, cells)) <= 12
    )


def _wrong(line: int, counts: Sequence[str], wanted: int, first: int) -> Iterator[str]:
    if len(counts) != wanted:
        yield f"{line}: {len(counts):,} counts where the header has {wanted:,}"
        return
    for place, cell in enumerate(counts):
        if not _COUNT.fullmatch(cell):
            yield f"{line}: {shown(cell, 30)} in column {first + place} is not a number of calls"
            return


def _scaled(counts: Sequence[int], rate: float) -> Iterator[int]:
    """So many times as many calls; what is rounded in one stretch is made up for in the next."""
    before = 0
    for total in itertools.accumulate(counts):
        now = total if rate == 1 else round(total * rate)
        yield now - before
        before = now


def _timed(header: Sequence[str], first: Row, rows: Iterator[Row], wanted: Arrivals) -> str:
    for key, value in (("row", wanted.row), ("minutes", wanted.minutes)):
        if value is not None:
            raise _no(wanted, f"{key}= is for files of counts; this one has times", "choose column= and unit=")
    column, minus, unit = _columns(header, wanted)
    if _TIME.fullmatch(header[column]):
        rows = itertools.chain([first], rows)  # there is no header
    found, problems = array("d"), list[str]()
    zero: Decimal | None = None
    for line, cells in rows:
        try:
            at = _cell(cells, column) - (_cell(cells, minus) if minus is not None else 0)
        except ValueError as error:
            problems.append(f"{line}: {error}")
            if len(problems) > MOST_TOLD:
                break
            continue
        zero = at if zero is None else zero  # a date needs more digits than a float has
        found.append(float((at - zero) * unit))
        if len(found) > MOST_ROWS:
            raise _no(wanted, f"it has more than {MOST_ROWS:,} times", "give a part of it")
    _refuse(problems, wanted)
    if not found:
        raise _no(wanted, "it has a header and no row")
    return recorded.text("gaps", KEPT_NS, _gaps(found, wanted))


def _columns(header: Sequence[str], wanted: Arrivals) -> tuple[int, int | None, int]:
    """Where the time is, what to take away from it to have the start, and its unit in nanoseconds."""
    unit = UNITS.get(wanted.unit or "")
    name = wanted.column
    if name is None and "startTime" in header:
        return header.index("startTime"), None, unit or UNITS["us"]
    if name is None and {"end_timestamp", "duration"} <= set(header):
        return header.index("end_timestamp"), header.index("duration"), unit or SECOND
    if name is None and len(header) > 1:
        name = next((each for each in ("due_ns", "intended_ns") if each in header), None)
    if name is None and len(header) > 1:
        known = ", ".join(shown(each, 20) for each in header[:10])
        raise _no(wanted, f"it has {len(header):,} columns: {known}", "choose one, such as column=1")
    at = 0 if name is None else _place(name, header, wanted)
    ending = header[at].rpartition("_")[2]
    return at, None, unit or UNITS.get(ending, SECOND)


def _place(name: str, header: Sequence[str], wanted: Arrivals) -> int:
    if name in header:
        return header.index(name)
    if _COUNT.fullmatch(name) and 1 <= int(name) <= len(header):
        return int(name) - 1
    known = ", ".join(shown(each, 20) for each in header[:10])
    raise _no(wanted, f"column={name}: it has {known}", "choose one of them, or its number from 1 on")


def _cell(cells: Sequence[str], column: int) -> Decimal:
    if column >= len(cells):
        raise ValueError(f"it has no column {column + 1}")
    text = cells[column].strip()
    if not _TIME.fullmatch(text):
        raise ValueError(f"{shown(text, 30)} in column {column + 1} is not a time")
    return Decimal(text)


def _gaps(found: array[float], wanted: Arrivals) -> Iterator[int]:
    """From one call to the next, in the unit that is kept; rounding never adds up."""
    times = sorted(found)
    _see_that_it_ends((times[-1] - times[0]) * wanted.time, wanted)
    before = 0
    for at in _at_rate(times, wanted.rate):
        now = round((at - times[0]) * wanted.time / KEPT_NS)
        yield now - before
        before = now


def _at_rate(times: Sequence[float], rate: float) -> Iterable[float]:
    """So many times as many calls: the k-th is where k / rate recorded calls had come, between two of them if so."""
    if rate == 1:
        return times
    return (_between(times, place / rate) for place in range(int((len(times) - 1) * rate) + 1))


def _between(times: Sequence[float], place: float) -> float:
    low = min(int(place), len(times) - 1)
    high = min(low + 1, len(times) - 1)
    return times[low] + (times[high] - times[low]) * (place - low)


def _see_that_it_ends(length_ns: float, wanted: Arrivals) -> None:
    if not length_ns <= LONGEST_NS:
        raise _no(wanted, f"it would last {length_ns / SECOND / 86400:,.0f} days", "make it faster, with time=0.001")


def _refuse(problems: Sequence[str], wanted: Arrivals) -> None:
    if problems:
        told = [f"{wanted.file}:{each}" for each in problems[:MOST_TOLD]]
        told += ["… and more"] if len(problems) > MOST_TOLD else []
        raise UsageError("\n".join(told), next_step="docs/arrivals.md says which files can be read")


def _no(wanted: Arrivals, why: str, next_step: str = "docs/arrivals.md says which files can be read") -> UsageError:
    return UsageError(f"{wanted.file}: {why}", next_step=next_step)
