"""The aggregation query of AMPLab's Big Data Benchmark, over a table of visits made like its own:

    SELECT SUBSTR(sourceIP, 1, 8), SUM(adRevenue) FROM uservisits GROUP BY SUBSTR(sourceIP, 1, 8)

Revenue has four decimals and is summed up in whole ten-thousandths: parts of a float do not add up in any order.
"""

from __future__ import annotations

import csv
import io
import random
import sqlite3
from collections.abc import Iterator

PREFIX = 8  # characters of an address: query 2A
UNITS = 10_000  # of one
COLUMNS = (
    *("sourceIP", "destURL", "visitDate", "adRevenue", "userAgent"),
    *("countryCode", "languageCode", "searchWord", "duration"),
)
AGENTS = ("Mozilla/5.0 (X11; Linux x86_64)", 'Links (2.28; "text", Linux)', "curl/8.7.1")
COUNTRIES = (("DEU", "DEU-DE"), ("IND", "IND-EN"), ("USA", "USA-EN"), ("ZAF", "ZAF-AF"))


def generate_input(seed: int, size: int) -> str:
    """About `size` characters of CSV (RFC 4180) without a header, one visit a line."""
    draw = random.Random(f"revenue/{seed}")
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    while text.tell() < size:
        table.writerow(_visit(draw))
    return text.getvalue()


def _visit(draw: random.Random) -> list[str | int]:
    address = f"{draw.randrange(100, 108)}.{draw.randrange(10, 18)}.{draw.randrange(256)}.{draw.randrange(256)}"
    page, day = f"https://example.com/{draw.randrange(16**6):06x}", f"2026-{draw.randrange(1, 13):02}-01"
    units = draw.randrange(UNITS)
    spent = f"{units // UNITS}.{units % UNITS:04}"
    country, language = draw.choice(COUNTRIES)
    return [address, page, day, spent, draw.choice(AGENTS), country, language, "knative", draw.randrange(1, 10)]


def mapped(part: str) -> Iterator[tuple[str, int]]:
    """The first characters of each visit's address, and its revenue."""
    for row in csv.reader(io.StringIO(part)):
        whole, _, decimals = row[COLUMNS.index("adRevenue")].partition(".")
        yield row[COLUMNS.index("sourceIP")][:PREFIX], int(whole) * UNITS + int(decimals)


def reference(text: str) -> dict[str, int]:
    """The query itself, asked of a database."""
    with sqlite3.connect(":memory:") as database:
        database.execute(f"CREATE TABLE uservisits ({', '.join(COLUMNS)})")
        marks = ", ".join("?" * len(COLUMNS))
        database.executemany(f"INSERT INTO uservisits VALUES ({marks})", csv.reader(io.StringIO(text)))  # noqa: S608
        asked = f"SUBSTR(sourceIP, 1, {PREFIX})"
        summed = f"SELECT {asked}, SUM(ROUND(adRevenue * {UNITS})) FROM uservisits GROUP BY {asked}"  # noqa: S608
        return {prefix: int(units) for prefix, units in database.execute(summed)}
