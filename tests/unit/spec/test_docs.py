"""What docs/chain-spec.md shows is what the parser does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from toolkit import catalog, plan
from toolkit.errors import SpecError
from toolkit.spec import cluster, language, parse
from toolkit.spec.model import Resources, Scale
from toolkit.spec.shapes import Record

PAGE = (Path(__file__).parents[3] / "docs" / "chain-spec.md").read_text(encoding="utf-8")
FENCES = re.findall(r"```(\w*)\n(.*?)```", PAGE, re.DOTALL)
EXAMPLE = FENCES[0][1]
SLIPS = """name: orders
functions:
  shop: {handler: "handlers.py:take", replica: 2}
  store: {handler: "handlers.py:put"}
edges: [{from: shop, to: stroe, via: event}]
broker:
  delivery: {delay: 10 sec}
"""


def test_the_example_of_the_page_is_a_chain() -> None:
    chain = parse(EXAMPLE.encode(), origin="chain.yaml", folder=".")
    assert [(edge.source, edge.to, edge.via) for edge in chain.edges] == [
        ("shop", "check", "call"),
        ("check", "store", "call"),
        ("store", "mailer", "event"),
        ("store", "ledger", "event"),
    ]
    assert chain.function("store").env == {"CURRENCY": "EUR"}


def test_the_example_can_be_repeated_as_the_page_says() -> None:
    names = [
        [each.name for each in parse(EXAMPLE.encode(), origin="", folder="", overrides={"checks": count}).functions][
            1:-4
        ]
        for count in ("0", "1", "3")
    ]
    assert names == [[], ["check"], ["check-1", "check-2", "check-3"]]


def test_the_problems_of_the_page_are_those_that_are_printed() -> None:
    with pytest.raises(SpecError) as caught:
        parse(SLIPS.encode(), origin="chain.yaml", folder=".")
    assert str(caught.value) + "\n" == next(text for kind, text in FENCES if not kind)


def test_the_function_of_the_page_asks_a_cluster_for_what_it_says() -> None:
    text = next(text for kind, text in FENCES if "name: tuned" in text)
    shop = parse(text.encode(), origin="chain.yaml", folder=".").function("shop")
    assert shop.scale == Scale(0, 10, 1, target=5, metric="concurrency", autoscaler="kpa", window_s=60, burst=0)
    assert (shop.concurrency, shop.timeout_s) == (10, 60)
    assert shop.resources == Resources({"cpu": "250m"}, {"cpu": "1", "memory": "512Mi"})


@pytest.mark.parametrize(
    ("extra", "bounds"),
    [
        ("replicas: 2", (2, 2)),
        ("replicas: 2, scale: {max: 10}", (2, 10)),
        ("replicas: 2, scale: {min: 0}", (0, 2)),
        ("replicas: 1", (1, 1)),
        ("about: nothing", (None, None)),
    ],
)
def test_replicas_are_the_bounds_that_the_page_says(extra: str, bounds: tuple[int | None, int | None]) -> None:
    text = f"name: a\nfunctions: {{f: {{handler: 'm:f', {extra}}}}}\n"
    scale = parse(text.encode(), origin="chain.yaml", folder=".").function("f").scale
    assert (scale.min, scale.max) == bounds


@pytest.mark.parametrize(
    "record",
    [
        *(language.CHAIN, language.FUNCTION, language.EDGE, language.BROKER, language.DELIVERY, language.PARAMETER),
        language.LOAD,
        *(cluster.SCALE, cluster.RESOURCES),
    ],
    ids=lambda record: record.what,
)
def test_every_key_of_the_language_is_explained(record: Record) -> None:
    assert [key for key in record.keys if not re.search(rf"`(delivery\.)?{key}`|\b{key}\b.*}}", PAGE)] == []


PATTERNS = [text for _, text in FENCES if "functions:" in text and PAGE.index(text) > PAGE.index("## Patterns")]


@pytest.mark.parametrize("text", PATTERNS, ids=lambda text: text.split()[1])
def test_every_pattern_of_the_page_is_a_chain_that_can_be_planned(text: str) -> None:
    chain = parse(text.encode(), origin="chain.yaml", folder=".", resolve=catalog.find_inner)
    assert plan.handlings(chain)[chain.entry] == 1
    assert plan.spans(chain) >= 2
