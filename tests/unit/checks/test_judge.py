"""What each check says, and where its business ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.checks import test_mutations as mutations
from tests.unit.checks.simulation import EVENT_PAIR, FAN_OUT, MIXED, PAIR, SINK, Run, chain_of, healthy
from toolkit.checks import judge
from toolkit.results import Check, Evidence, Incident
from toolkit.spec.model import Broker, ChainSpec, Delivery, Function

ORDER = ("answered", "followed", "routed", "delivered", "once", "intact", "traced", "steady", "clean")


def checks_of(run: Run, *, sample: float = 1.0, partial: bool = False) -> dict[str, Check]:
    found = judge(run.chain, run.calls, run.evidence, bound=run.bound, sink=SINK, sample=sample, partial=partial)
    return {check.name: check for check in found}


def red(run: Run, *, sample: float = 1.0, partial: bool = False) -> set[str]:
    return {name for name, check in checks_of(run, sample=sample, partial=partial).items() if not check.passed}


def test_the_checks_come_in_the_order_of_a_messages_life() -> None:
    assert tuple(checks_of(healthy(PAIR))) == ORDER


def test_no_call_at_all_is_a_failure_not_a_pass() -> None:
    check = checks_of(Run(PAIR))["answered"]
    assert (check.passed, check.got) == (False, "no call was answered")
    assert red(Run(PAIR)) == {"answered"}


def test_answered_lists_status_codes_and_the_first_errors() -> None:
    run = healthy(PAIR, 9)
    for at in range(6):
        run.calls[at] = replace(run.calls[at], status="INTERNAL", error=f"broke {at}")
    run.calls[6] = replace(run.calls[6], status=None, done_ns=None)
    check = checks_of(run)["answered"]
    assert check.wanted == "all 9 calls answered OK"
    assert check.got == "2 answered OK; 6 INTERNAL, 1 never answered"
    assert check.details[0] == "call 0 (000000000000): INTERNAL: broke 0"
    assert len(check.details) == 5


def test_ok_calls_without_any_receipt_are_lost_and_nothing_else() -> None:
    run = healthy(PAIR)
    run.receipts.clear()
    assert red(run) == {"delivered"}


def test_a_missing_message_is_named_with_its_edge() -> None:
    run = healthy(MIXED, 1)
    run.forget(run.below(next(each for each in run.receipts if each.function == "c")))
    check = checks_of(run)["delivered"]
    assert check.got == "1 wrong: c never handled b's event t (call 000000000000)"


def test_each_subscriber_of_one_event_has_to_handle_it() -> None:
    run = healthy(FAN_OUT, 1)
    run.forget([each for each in run.receipts if each.function == "c"])
    assert checks_of(run)["delivered"].details == ("c never handled a's event t (call 000000000000)",)


def test_an_event_that_fails_every_time_was_not_delivered() -> None:
    run = healthy(EVENT_PAIR, 1)
    run.replace_receipt(run.receipts[1], error="ValueError: no")
    assert checks_of(run)["delivered"].got == (
        "1 wrong: b failed each time it handled a's event t: ValueError: no (call 000000000000)"
    )


def test_an_event_that_succeeds_at_the_second_try_is_no_repetition() -> None:
    run = healthy(EVENT_PAIR, 1)
    second = run.receipts[1]
    run.receipts.insert(1, replace(second, seq=99, error="ValueError: not yet"))
    run.spans.append(replace(run.spans[-1], id="f" * 16))
    assert red(run) == set()
    assert checks_of(run)["once"].got == ("2 handlings, none repeated; 1 handling failed and was retried with success")


def test_handlings_that_failed_for_good_are_counted_apart_from_those_that_were_retried() -> None:
    run = healthy(EVENT_PAIR, 2)
    first, second = (each for each in run.receipts if each.function == "b")
    run.receipts += [replace(first, seq=98, error="not yet"), replace(first, seq=99, error="not yet")]
    run.replace_receipt(second, error="never")
    assert checks_of(run)["once"].got == (
        "3 handlings, none repeated; 2 handlings failed and were retried with success; 1 handling failed for good"
    )


def test_calls_that_the_generator_never_sent_are_nobodys_promise_and_counted() -> None:
    run = healthy(PAIR, 3)
    last = run.calls[2]
    run.forget([each for each in run.receipts if each.call == last.call])
    run.spans = [span for span in run.spans if span.trace != last.trace]
    run.calls[2] = replace(last, status="RESOURCE_EXHAUSTED", refused=True, sampled=False, reply_digest=None)
    assert red(run) == set()
    assert checks_of(run)["answered"].got == "2 answered OK; 1 call never sent: the measurement is invalid"


def test_a_message_that_was_not_accepted_though_the_handling_went_on_is_not_delivered() -> None:
    run = healthy(PAIR, 1)
    sender = run.receipts[0]
    run.forget([run.receipts[1]])
    run.replace_receipt(sender, sent=(replace(sender.sent[0], accepted=False),))
    assert red(run) == {"delivered"}


def test_a_reply_event_goes_to_whoever_delivered_and_is_not_misrouted() -> None:
    run = healthy(chain_of(("a", "b", "event"), ("b", "c", "event")), 1)
    replier = next(each for each in run.receipts if each.function == "b")
    run.replace_receipt(replier, sent=(replace(replier.sent[0], address="reply"),))
    assert red(run) == set()


def test_a_sink_that_nobody_knows_makes_every_event_misrouted() -> None:
    run = healthy(EVENT_PAIR)
    checks = judge(run.chain, run.calls, run.evidence, bound=run.bound, sink=None)
    assert [check.name for check in checks if not check.passed] == ["routed"]


def test_a_message_that_reached_a_function_it_was_not_for_is_misrouted() -> None:
    run = healthy(MIXED, 1)
    event = next(each for each in run.receipts if each.via == "event")
    run.receipts.append(replace(event, function="d", sent=()))
    run.spans.append(replace(next(s for s in run.spans if s.kind == "CONSUMER"), service="d", id="f" * 16))
    check = checks_of(run)["routed"]
    assert check.got == "1 wrong: d handled a message of b that was not for it (call 000000000000)"
    assert red(run) == {"routed"}


def test_intact_counts_messages_and_answers_and_names_both_sides_of_a_changed_answer() -> None:
    run = healthy(PAIR, 2)
    assert checks_of(run)["intact"].got == "4 messages and 4 answers compared, all alike"
    sender = run.receipts[0]
    changed = replace(sender.sent[0], reply="f" * 16, reply_size=3)
    run.replace_receipt(sender, sent=(changed,))
    check = checks_of(run)["intact"]
    right = run.receipts[1]
    assert check.wanted == "every message and every answer received as it was sent"
    assert check.got == (
        f"1 wrong: a received 3 bytes with digest {'f' * 16}, but b answered {right.reply_size} bytes "
        f"with digest {right.reply} (call 000000000000)"
    )


def test_of_a_message_that_was_handled_twice_either_answer_may_come_back() -> None:
    run = healthy(PAIR, 1)
    mutations.again(run, run.receipts[1], replica=None)
    run.replace_receipt(run.receipts[-1], reply="e" * 16)
    assert red(run) == {"once"}


def test_evidence_that_knows_no_answers_is_judged_without_them() -> None:
    """As an older function leaves it."""
    run = healthy(MIXED)
    run.calls = [replace(call, reply_digest=None) for call in run.calls]
    run.receipts = [replace(each, reply=None, reply_size=None) for each in run.receipts]
    assert red(run) == set()
    assert checks_of(run)["intact"].got == "12 messages compared, all alike"


def test_a_call_that_failed_because_of_a_changed_answer_is_intacts_and_counted() -> None:
    run = healthy(PAIR)
    mutations.change_an_answer_so_that_its_call_fails(run, Random(1))
    assert red(run) == {"intact"}
    assert checks_of(run)["answered"].got == (
        "2 answered OK; 1 call failed behind something that was changed on its way (see intact)"
    )


def with_a_graveyard() -> Run:
    """b failed for good, and the broker left its event with the dead-letter function."""
    chain = replace(EVENT_PAIR, functions=(*EVENT_PAIR.functions, Function("graveyard", "g.py:bury", "http1")))
    run = healthy(replace(chain, broker=Broker(delivery=Delivery(dead_letter="graveyard"))), 2)
    failed = run.replace_receipt(run.receipts[1], error="ValueError: no")
    run.receipts.append(replace(failed, function="graveyard", replica="g", error=None))
    consumer = next(each for each in run.spans if each.kind == "CONSUMER")
    run.spans.append(replace(consumer, service="graveyard", id="f" * 16))
    return run


def test_a_dead_letter_is_cleans_whether_the_engine_tells_of_it_or_not() -> None:
    run = with_a_graveyard()
    assert red(run) == {"clean"}
    assert checks_of(run)["clean"].got == "1 dead-letter"
    run.incidents.append(Incident("dead-letter", "a-to-b", "gave up", count=1))
    assert red(run) == {"clean"}
    assert checks_of(run)["clean"].got == "1 dead-letter"


def test_a_dead_letter_function_that_also_has_work_of_its_own_buries_nothing_by_doing_it() -> None:
    run = healthy(replace(EVENT_PAIR, broker=Broker(delivery=Delivery(dead_letter="b"))))
    assert red(run) == set()


def test_strangers_receipts_are_nobodys_promise() -> None:
    run = healthy(PAIR)
    run.receipts.append(replace(run.receipts[0], call="stranger", message="stranger", digest="x"))
    assert red(run) == set()


def test_an_interrupted_run_judges_only_what_was_answered() -> None:
    run = healthy(PAIR, 3)
    run.calls[2] = replace(run.calls[2], status=None, done_ns=None)
    run.receipts = [each for each in run.receipts if each.call != run.calls[2].call]
    assert red(run, partial=True) == set()
    assert "answered" in red(run)


def test_an_interrupted_run_without_an_answer_fails() -> None:
    run = healthy(PAIR, 1)
    run.calls[0] = replace(run.calls[0], status=None, done_ns=None)
    assert red(run, partial=True) == {"answered"}


def test_a_run_that_was_asked_not_to_trace_passes_and_says_so() -> None:
    run = healthy(PAIR, sampled=lambda _: False)
    check = checks_of(run, sample=0.0)["traced"]
    assert (check.passed, check.got) == (True, "no call was sampled, as asked")


def test_a_run_in_which_chance_sampled_nothing_proves_nothing() -> None:
    run = healthy(PAIR, sampled=lambda _: False)
    assert red(run, sample=0.01) == {"traced"}


def test_calls_that_were_not_sampled_need_no_trace() -> None:
    assert red(healthy(PAIR, 4, sampled=lambda seq: seq == 1), sample=0.25) == set()


def test_a_sampled_call_without_any_span_fails() -> None:
    run = healthy(PAIR)
    run.spans.clear()
    assert red(run) == {"traced"}


def test_steady_names_the_function_how_often_and_its_last_words() -> None:
    run = healthy(PAIR)
    run.incidents += [Incident("restart", "b", "left with status 1", ("one", "two"))] * 2
    check = checks_of(run)["steady"]
    assert check.got == "b was started again 2 times"
    assert check.details[0] == "b: left with status 1; its last log line: two"


def test_clean_repeats_the_words_of_the_incidents() -> None:
    run = healthy(PAIR)
    run.incidents.append(Incident("warning", "broker", "a reply failed"))
    check = checks_of(run)["clean"]
    assert (check.got, check.details) == ("1 warning", ("broker: a reply failed",))


def test_calls_that_failed_behind_a_killed_function_are_steadys() -> None:
    run = healthy(PAIR, 2)
    sender = run.receipts[0]
    run.forget([run.receipts[1]])
    sender = run.replace_receipt(sender, sent=(replace(sender.sent[0], accepted=False),), error="UNAVAILABLE")
    run.calls[0] = replace(run.calls[0], status="UNAVAILABLE")
    run.incidents.append(Incident("restart", "b", "was killed", replica="gone"))
    assert red(run) == {"steady"}
    assert "1 call failed behind a restarted function (see steady)" in checks_of(run)["answered"].got


def test_calls_that_failed_because_the_entry_was_killed_are_steadys() -> None:
    run = healthy(PAIR, 2)
    run.forget(run.receipts[:2])
    run.calls[0] = replace(run.calls[0], status="UNAVAILABLE")
    run.incidents.append(Incident("restart", "a", "was killed", replica="gone"))
    assert red(run) == {"steady"}


def test_what_was_lost_is_lost_even_if_somebody_was_killed() -> None:
    run = healthy(EVENT_PAIR)
    run.forget([run.receipts[1]])
    run.incidents.append(Incident("restart", "b", "was killed", replica="replica-b"))
    assert red(run) == {"delivered", "steady"}


def of_two_replicas(chain: ChainSpec) -> Run:
    """b has two replicas, which take turns."""
    run = healthy(chain, 4)
    taken = [each for each in run.receipts if each.function == "b"]
    for at, receipt in enumerate(taken):
        run.replace_receipt(receipt, replica=f"replica-b{at % 2}", seq=at // 2)
    return run


def test_one_of_two_replicas_that_was_killed_with_a_call_is_steadys_and_named_as_its_function() -> None:
    """Its incident names the function and the replica; the call that it had taken failed, and left no receipt."""
    run = of_two_replicas(PAIR)
    sender, taken = run.receipts[0], run.receipts[1]
    run.forget([taken])
    gone = replace(sender.sent[0], accepted=False, reply=None, reply_size=None)
    run.replace_receipt(sender, sent=(gone,), error="UNAVAILABLE", reply=None, reply_size=None)
    run.calls[0] = replace(run.calls[0], status="UNAVAILABLE", reply_digest=None)
    run.incidents.append(Incident("restart", "b", "was killed", replica=taken.replica))
    assert red(run) == {"steady"}
    assert checks_of(run)["steady"].got == "b was started again once"


def test_one_of_two_replicas_that_was_killed_with_an_event_is_steadys_alone() -> None:
    """The other one handled the event again; the spans of the first are gone."""
    run = of_two_replicas(EVENT_PAIR)
    taken = run.receipts[1]
    mutations.again(run, taken, replica="replica-b1")
    run.incidents.append(Incident("restart", "b", "was killed", replica=taken.replica))
    lost = next(each for each in run.spans if each.kind == "CONSUMER" and each.tags["toolkit.message"] == taken.message)
    run.spans.remove(lost)
    assert red(run) == {"steady"}
    assert "1 repetition that follows from a restart (see steady)" in checks_of(run)["once"].got


def test_a_restart_does_not_excuse_repetitions_elsewhere() -> None:
    run = healthy(chain_of(("a", "b", "event"), ("a", "c", "event")), 1)
    mutations.again(run, next(each for each in run.receipts if each.function == "b"), replica=None)
    run.incidents.append(Incident("restart", "c", "was killed", replica="gone"))
    assert red(run) == {"once", "steady"}


def test_repetitions_below_a_repetition_that_a_restart_explains_are_explained_too() -> None:
    run = healthy(chain_of(("a", "b", "event"), ("b", "c", "event"), ("c", "d", "event")), 1)
    mutations.again(run, next(each for each in run.receipts if each.function == "b"), replica="replica-2")
    run.incidents.append(Incident("restart", "b", "was killed", replica="replica-b"))
    assert red(run) == {"steady"}
    assert "3 repetitions that follow from a restart (see steady)" in checks_of(run)["once"].got


def test_a_killed_process_may_have_sent_a_message_without_leaving_a_receipt() -> None:
    run = healthy(chain_of(("a", "b", "event"), ("b", "c", "event")), 1)
    mutations.again(run, next(each for each in run.receipts if each.function == "c"), replica=None)
    run.incidents.append(Incident("restart", "b", "was killed", replica="it left no receipt"))
    assert red(run) == {"steady"}


def test_an_engine_that_cannot_name_the_replica_still_explains_repetitions_of_its_function() -> None:
    run = healthy(EVENT_PAIR, 1)
    mutations.again(run, run.receipts[1], replica="replica-2")
    run.incidents.append(Incident("restart", "b", "pod was evicted"))
    assert red(run) == {"steady"}


def test_a_loop_of_messages_ends() -> None:
    run = healthy(EVENT_PAIR, 1)
    entry, consumer = run.receipts
    run.receipts = [
        replace(entry, sent=(replace(entry.sent[0], message=consumer.message),)),
        replace(consumer, sent=(replace(entry.sent[0], message=entry.message),)),
    ] * 2
    run.incidents.append(Incident("restart", "x", "was killed", replica="gone"))
    assert "once" in red(run)


def test_a_chain_of_hundreds_of_functions_is_judged() -> None:
    names = [f"f{at}" for at in range(300)]
    chain = chain_of(*((a, b, "event") for a, b in pairwise(names)), entry="f0")
    run = healthy(chain, 1)
    mutations.again(run, next(each for each in run.receipts if each.function == "f1"), replica="replica-2")
    run.incidents.append(Incident("restart", "f1", "was killed", replica="replica-f1"))
    assert red(run) == {"steady"}


def test_receipts_that_say_nonsense_do_not_stop_the_judge() -> None:
    run = healthy(MIXED, 1)
    strange = replace(
        run.receipts[1], function="nobody", sender="nobody", via="event", type=None, sent=run.receipts[0].sent
    )
    run.receipts.append(strange)
    assert "routed" in red(run)


Mutation = Callable[[Run, Random], None]
EVERYWHERE: list[Mutation] = [
    *mutations.ANYWHERE,
    *mutations.ON_EDGES,
    *mutations.ON_EVENT_EDGES,
    *mutations.ON_CALL_EDGES,
]


@settings(max_examples=150, deadline=None)
@given(pair=st.lists(st.sampled_from(EVERYWHERE), min_size=2, max_size=2), seed=st.integers(0, 10_000))
def test_two_broken_things_never_excuse_each_other_away(pair: list[Mutation], seed: int) -> None:
    """Whatever one check passes over, another one tells."""
    run = healthy(MIXED, 3)
    chance = Random(seed)
    for mutation in pair:
        try:
            mutation(run, chance)
        except (IndexError, StopIteration, ValueError):  # the first one left nothing for the second to break
            break
    assert red(run)


def test_evidence_may_be_empty() -> None:
    run = healthy(PAIR)
    checks = judge(run.chain, run.calls, Evidence(), bound={}, sink=None)
    assert [check.name for check in checks if not check.passed] == ["delivered", "traced"]
