"""A plan binds a chain to names, wirings and triggers, and says how often each function has work."""

from __future__ import annotations

import pytest

from toolkit import catalog, plan
from toolkit.contract import ENTRY_METHOD, GENERIC_METHOD, Outgoing, Tracing, Wiring
from toolkit.plan import Trigger
from toolkit.spec import parse
from toolkit.spec.model import ChainSpec

PRODCON = "prodcon.ProducerConsumer/ConsumeByte"


def chain(functions: str, edges: str, more: str = "") -> ChainSpec:
    """Functions as `a b c`, edges as `a call b, b event c`; `more` is YAML."""
    lines = [f'  {name}: {{handler: "handlers.py:{name}"}}' for name in functions.split()]
    links = [each.split() for each in edges.split(",") if each.strip()]
    lines = ["name: sample", "parameters: {payload: 1KiB}", "functions:", *lines, "edges:" if links else ""]
    for source, via, to, *rest in links:
        lines.append(f"  - {{from: {source}, to: {to}, via: {via}{', ' + ': '.join(rest) if rest else ''}}}")
    return parse("\n".join([*lines, more]).encode(), origin="chain.yaml", folder=".")


DIAMOND = "start call left, start call right, left call join, right call join"
LETTERS = "broker: {name: post, delivery: {dead-letter: drain}}"


def test_the_wiring_of_the_entry_says_all_that_it_needs() -> None:
    made = plan.make(chain("a b", f"a call b method {PRODCON}"), "run-1", seed=7, tracing=Tracing(sample=0.5))
    assert made.wirings["a"] == Wiring(
        chain="sample",
        function="a",
        run="run-1",
        handler="handlers.py:a",
        serves=(ENTRY_METHOD,),
        consumes=False,
        outgoing=(Outgoing("b", "call", method=PRODCON),),
        parameters={"payload": 1024},
        seed=7,
        tracing=Tracing(sample=0.5),
    )
    assert (made.run, made.namespace, made.entry, made.broker) == ("run-1", "sample", "a", None)


def test_a_called_function_serves_the_methods_of_its_edges() -> None:
    made = plan.make(chain("a b c", f"a call b, a call c, b call c method {PRODCON}"), "run")
    assert made.wirings["b"].serves == (GENERIC_METHOD,)
    assert made.wirings["c"].serves == (GENERIC_METHOD, PRODCON)
    assert not made.wirings["c"].consumes


def test_an_event_consumer_serves_no_method() -> None:
    made = plan.make(chain("a b", "a event b"), "run")
    assert (made.wirings["b"].serves, made.wirings["b"].consumes) == ((), True)
    assert made.wirings["a"].outgoing == (Outgoing("b", "event", type="sample.a"),)


def test_a_dead_letter_function_consumes_events_though_no_edge_enters_it() -> None:
    made = plan.make(chain("a b drain", "a event b", LETTERS), "run")
    assert (made.wirings["drain"].serves, made.wirings["drain"].consumes) == ((), True)
    assert made.broker is not None
    assert made.broker.delivery.dead_letter == "drain"
    assert [trigger.subscriber for trigger in made.triggers] == ["b"]


def test_every_event_edge_becomes_a_trigger_of_its_type_and_source() -> None:
    made = plan.make(chain("a b c", "a event b, a event c type news", "broker: {name: post}"), "run")
    assert made.triggers == (
        Trigger("a-to-b", "post", "sample.a", "a", "b"),
        Trigger("a-to-c", "post", "news", "a", "c"),
    )


def test_two_event_edges_between_two_functions_are_two_triggers() -> None:
    made = plan.make(chain("a b", "a event b type created, a event b type deleted"), "run")
    assert made.triggers == (
        Trigger("a-to-b", "default", "created", "a", "b"),
        Trigger("a-to-b-2", "default", "deleted", "a", "b"),
    )


def test_binding_gives_calls_their_addresses_and_leaves_events_to_the_sink() -> None:
    made = plan.make(chain("a b c", "a call b, a event c"), "run")
    bound = plan.bind(
        made.wirings["a"], {"b": "127.0.0.1:1"}, receipts="tcp://127.0.0.1:2", endpoint="http://127.0.0.1:3/"
    )
    assert [edge.address for edge in bound.outgoing] == ["127.0.0.1:1", None]
    assert (bound.receipts, bound.tracing.endpoint) == ("tcp://127.0.0.1:2", "http://127.0.0.1:3/")
    assert made.wirings["a"].outgoing[0].address is None


def test_binding_without_an_address_is_a_mistake_that_is_named() -> None:
    made = plan.make(chain("a b", "a call b"), "run")
    with pytest.raises(KeyError, match="b"):
        plan.bind(made.wirings["a"], {}, receipts=None, endpoint=None)


def test_a_function_alone_handles_the_call() -> None:
    assert plan.handlings(chain("only", "")) == {"only": 1}


def test_the_join_of_a_diamond_handles_two() -> None:
    assert plan.handlings(chain("start left right join", DIAMOND)) == {"start": 1, "left": 1, "right": 1, "join": 2}


def test_a_diamond_of_events_is_no_different() -> None:
    counts = plan.handlings(chain("start left right join", DIAMOND.replace("call", "event")))
    assert counts == {"start": 1, "left": 1, "right": 1, "join": 2}


def test_diamonds_in_a_row_multiply() -> None:
    edges = "a call b, a call c, b call d, c call d, d call e, d call f, e call g, f call g, g call h"
    assert plan.handlings(chain("a b c d e f g h", edges)) == dict(
        zip("abcdefgh", (1, 1, 1, 2, 2, 2, 4, 4), strict=True)
    )


def test_a_broadcast_is_one_event_for_each_receiver() -> None:
    assert plan.handlings(chain("a b c d", "a event b, a event c, a event d")) == dict.fromkeys("abcd", 1)


def test_two_edges_between_two_functions_are_two_messages() -> None:
    assert plan.handlings(chain("a b", "a event b type created, a event b type deleted")) == {"a": 1, "b": 2}


def test_dead_letters_are_not_expected() -> None:
    counts = plan.handlings(chain("a b drain store", "a event b, drain call store", LETTERS))
    assert counts == {"a": 1, "b": 1, "drain": 0, "store": 0}


def test_functions_are_counted_in_any_order_of_the_file() -> None:
    assert plan.handlings(chain("join right left start", DIAMOND)) == {"join": 2, "right": 1, "left": 1, "start": 1}


def test_a_row_of_a_thousand_is_counted() -> None:
    row = parse(
        b"name: row\nfunctions:\n  a: {handler: 'm:f'}\n  r: {handler: 'm:f', repeat: 999}\n"
        b"edges: [{from: a, to: r, via: call}]\n",
        origin="chain.yaml",
        folder=".",
    )
    assert plan.handlings(row) == {each.name: 1 for each in row.functions}


def test_a_call_leaves_a_span_for_its_caller_for_every_handling_and_for_every_message() -> None:
    assert plan.spans(catalog.load("chained-serving", {})) == 4
    assert plan.spans(catalog.load("chained-mixed", {})) == 8


def test_what_depends_on_a_choice_on_data_or_on_failures_need_not_be_walked() -> None:
    """And so need not what lies behind it alone."""
    found = parse(
        b"name: free\nfunctions:\n"
        + b"".join(b"  %s: {handler: 'm:f'}\n" % each for each in (b"a", b"b", b"c", b"d", b"e", b"f", b"g", b"h"))
        + b"""edges:
  - {from: a, to: b, via: call, choice: way}
  - {from: a, to: c, via: call, choice: way}
  - {from: b, to: d, via: call}
  - {from: a, to: e, via: call, retry: 2}
  - {from: a, to: f, via: call, fallback: e}
  - {from: a, to: g, via: call, count: 0..3}
  - {from: a, to: h, via: call, count: 3}
""",
        origin="chain.yaml",
        folder=".",
    )
    every = {(edge.source, edge.to) for edge in found.edges}
    assert every - {(source, to) for source, to, _ in plan.optional(found)} == {("a", "h")}


def test_of_a_chain_without_choices_every_edge_is_walked() -> None:
    assert plan.optional(catalog.load("chained-mixed", {})) == frozenset()


def test_what_depends_on_the_handler_or_on_failures_is_not_counted() -> None:
    edges = """
        a call b choice way}, a call c choice way}, a call d fallback b}, b call b loop 3}, a event t tasks 9},
        t event t tasks 9}, t event e when done}"""
    text = "name: sample\nfunctions:\n" + "".join(f"  {name}: {{handler: 'm:f'}}\n" for name in "abcdte") + "edges:\n"
    for each in edges.replace("\n", "").split("},"):
        source, via, to, key, value = each.strip().rstrip("}").split()
        text += f"  - {{from: {source}, to: {to}, via: {via}, {key}: {value}}}\n"
    found = parse(text.encode(), origin="chain.yaml", folder=".")
    assert plan.handlings(found) == {"a": 1, "b": 0, "c": 0, "d": 0, "t": 0, "e": 0}
    assert plan.spans(found) == 2


def test_a_count_multiplies_and_a_join_makes_one_of_many() -> None:
    text = """
name: sample
functions: {a: {handler: "m:f"}, b: {handler: "m:f"}, c: {handler: "m:f", join: all}, d: {handler: "m:f"}}
edges:
  - {from: a, to: b, via: event, count: 16}
  - {from: b, to: c, via: event}
  - {from: c, to: d, via: call, count: 2..5}
"""
    found = parse(text.encode(), origin="chain.yaml", folder=".")
    assert plan.handlings(found) == {"a": 1, "b": 16, "c": 16, "d": 2}
    assert plan.spans(found) == 1 + (1 + 16) + (16 + 16) + (16 + 2) + 2
    assert plan.make(found, "run").wirings["c"].slots == {"b sample.b": 16}


def test_a_join_of_all_knows_what_comes_over_each_of_its_edges_and_one_of_the_first_does_not() -> None:
    text = """
name: sample
functions: {a: {handler: "m:f"}, b: {handler: "m:f"}, c: {handler: "m:f"}, d: {handler: "m:f", join: %s}}
edges:
  - {from: a, to: b, via: event, count: 2}
  - {from: a, to: c, via: event, count: 2}
  - {from: b, to: d, via: event}
  - {from: c, to: d, via: event}
"""
    for join, slots in (("all", {"b sample.b": 2, "c sample.c": 2}), ("2", {})):
        found = parse((text % join).encode(), origin="chain.yaml", folder=".")
        wired = plan.make(found, "run").wirings["d"]
        assert (wired.slots, Wiring.decode(wired.encode())) == (slots, wired)


def test_one_event_of_several_receivers_is_sent_once_however_many_there_are() -> None:
    text = """
name: sample
functions: {a: {handler: "m:f"}, w: {handler: "m:f", parallel: 4}}
edges: [{from: a, to: w, via: event}]
"""
    assert plan.spans(parse(text.encode(), origin="chain.yaml", folder=".")) == 1 + (1 + 1) + 4


def test_the_wiring_says_what_the_edge_says() -> None:
    text = """
name: sample
functions: {a: {handler: "m:f"}, b: {handler: "m:f"}, c: {handler: "m:f", repeat: 2}}
edges:
  - {from: a, to: b, via: call, retry: 2, choice: way, count: 1..3}
  - {from: a, to: c, via: call, choice: way}
  - {from: b, to: a, via: call, loop: 5}
"""
    made = plan.make(parse(text.encode(), origin="chain.yaml", folder="."), "run")
    first, second = made.wirings["a"].outgoing
    assert (first.retry, first.choice, first.least, first.most, first.alias) == (2, "way", 1, 3, None)
    assert (second.to, second.alias) == ("c-1", "c")
    assert made.wirings["b"].outgoing[0].loop == 5
    assert made.wirings["a"].serves == (ENTRY_METHOD, GENERIC_METHOD)
