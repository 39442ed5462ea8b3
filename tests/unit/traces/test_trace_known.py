"""The analysis of one trace gives back what is known to have happened, to the microsecond."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.traces.known import GENERATIONS, Generation, Played, any_chain, merged, microseconds, told, with_replies
from tests.unit.traces.made import calm
from toolkit.traces.anatomy import anatomy
from toolkit.traces.critical import critical_path
from toolkit.traces.model import Span
from toolkit.traces.segments import What

seeds = st.integers(0, 2**32)
some = settings(calm, max_examples=40)
every_platform = pytest.mark.parametrize("generation", [None, *GENERATIONS])


def played(seed: int, generation: Generation | None, *, gateway: bool = True) -> Played:
    random = Random(seed)
    chain = with_replies(any_chain(random), random)
    found = Played(microseconds(random), generation, gateway, activator=random.random() < 0.8)
    found.play(chain)
    random.shuffle(found.spans)
    return found


def path(spans: list[Span], *, until_answer: bool = False) -> list[tuple[int, int, str, What]]:
    segments = critical_path(spans, until_answer=until_answer)
    return merged((each.start, each.end, each.label, each.what) for each in segments)


@every_platform
@some
@given(seeds)
def test_the_critical_path_is_what_led_to_the_end(generation: Generation | None, seed: int) -> None:
    found = played(seed, generation)
    assert path(found.spans) == told(found.last)


@every_platform
@some
@given(seeds)
def test_the_path_to_the_answer_is_what_led_to_the_answer(generation: Generation | None, seed: int) -> None:
    random = Random(seed)
    found = Played(microseconds(random), generation)
    answer = found.play(any_chain(random))
    assert path(found.spans, until_answer=True) == told(answer)


@every_platform
@some
@given(seeds)
def test_every_message_has_its_way_and_no_other(generation: Generation | None, seed: int) -> None:
    found = played(seed, generation)
    wanted = sorted(
        (each.source, each.to, each.via, each.message, sorted((w, ns // 1000) for w, ns in each.parts.items()))
        for each in found.hops
    )
    got = sorted((each.source, each.to, each.via, each.message, sorted(each.parts)) for each in anatomy(found.spans))
    assert got == wanted
    assert all(each.whole and not each.skewed and not each.failed for each in anatomy(found.spans))


@pytest.mark.parametrize("generation", GENERATIONS)
@some
@given(seeds)
def test_an_ingress_that_tells_nothing_leaves_gaps_and_nothing_wrong(generation: Generation, seed: int) -> None:
    found = played(seed, generation, gateway=False)
    assert path(found.spans) == told(found.last)
    assert not any(each.whole for each in anatomy(found.spans) if each.via == "call")
    wanted = sorted((each.message, sorted((w, ns // 1000) for w, ns in each.parts.items())) for each in found.hops)
    assert sorted((each.message, sorted(each.parts)) for each in anatomy(found.spans)) == wanted
