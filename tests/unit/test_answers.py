"""The chain's own code judges its answers, in a process of its own, and whatever it does is told as what it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.checks.simulation import PAIR, SINK, Run, healthy
from toolkit import answers
from toolkit.checks import judge
from toolkit.contract import INPUTS, input_seed
from toolkit.results import Check
from toolkit.spec.model import Parameter

RIGHT = "def validate_output(answer, seed, size):\n    return None if answer == 'yes' else f'{answer!r} is not yes'\n"


def answering(folder: Path, source: str, *said: str, requires: tuple[str, ...] = ()) -> Run:
    """A run whose calls were answered so, one each, and a chain whose `work.py` is `source`."""
    (folder / "work.py").write_text(source)
    chain = replace(PAIR, folder=str(folder), expect="work.py:validate_output", requires=requires)
    run = healthy(chain, len(said))
    for call, answer in zip(run.calls, said, strict=True):
        entry = next(each for each in run.receipts if each.call == call.call and each.via == "entry")
        run.replace_receipt(entry, answer=answer)
    return run


async def verdicts(run: Run, seed: int = 1, patience_s: float = 20.0) -> list[str | None]:
    found = await answers.judged(run.chain, run.calls, run.evidence, seed=seed, patience_s=patience_s)
    assert found is not None
    return [found[call.call] for call in run.calls]


def expected(run: Run, judged: Mapping[str, str | None] | None) -> Check:
    evidence = replace(run.evidence, judged=judged)
    return judge(run.chain, run.calls, evidence, bound=run.bound, sink=SINK)[-1]


async def test_right_and_wrong_answers_are_told_apart_call_by_call(tmp_path: Path) -> None:
    run = answering(tmp_path, RIGHT, "yes", "no", "yes")
    assert await verdicts(run) == [None, "'no' is not yes", None]


async def test_the_judge_gets_the_seed_that_the_function_had_and_the_size(tmp_path: Path) -> None:
    source = "def validate_output(answer, seed, size):\n    return f'{seed} {size}'\n"
    run = answering(tmp_path, source, *["same"] * 20)
    run.chain = replace(run.chain, parameters=(Parameter("payload", 4096, "size"), Parameter("size", 7, "integer")))
    found = await verdicts(run, seed=5)
    assert found == [f"{input_seed(5, call.call)} 7" for call in run.calls]
    assert 1 < len(set(found)) <= INPUTS


@pytest.mark.parametrize("taken", ["parameters", "*, parameters=None"])
async def test_a_judge_that_takes_parameters_gets_the_chain_s(tmp_path: Path, taken: str) -> None:
    source = f"def validate_output(answer, seed, size, {taken}):\n    return str(parameters)\n"
    run = answering(tmp_path, source, "yes")
    run.chain = replace(run.chain, parameters=(Parameter("job", "words", "text"), Parameter("limit", 7, "integer")))
    assert await verdicts(run) == ["{'job': 'words', 'limit': 7}"]


async def test_equal_answers_to_equal_inputs_are_judged_once(tmp_path: Path) -> None:
    source = "seen = []\ndef validate_output(answer, seed, size):\n    seen.append(1)\n    return str(len(seen))\n"
    found = await verdicts(answering(tmp_path, source, *["same"] * 50))
    assert len({each for each in found if each}) <= INPUTS


async def test_a_chain_that_expects_nothing_asks_nobody() -> None:
    run = healthy(PAIR)
    assert await answers.judged(run.chain, run.calls, run.evidence, seed=1) is None
    assert "expected" not in {check.name for check in judge(PAIR, run.calls, run.evidence, bound=run.bound, sink=SINK)}


HOSTILE = {
    "raises": (
        "def validate_output(*_):\n    raise ValueError('what is this')\n",
        "it raised ValueError: what is this",
    ),
    "leaves": ("def validate_output(*_):\n    raise SystemExit(0)\n", "it raised SystemExit: 0"),
    "true": ("def validate_output(*_):\n    return True\n", "it returned True, which is neither None nor a text"),
    "nan": ("def validate_output(*_):\n    return float('nan')\n", "it returned nan, which is neither"),
    "coroutine": ("async def validate_output(*_):\n    return None\n", "it returned <coroutine object"),
    "few arguments": ("def validate_output(answer):\n    return None\n", "it raised TypeError: "),
    "exits": ("import os\ndef validate_output(*_):\n    os._exit(0)\n", "ended its process with status 0"),
    "dies": ("import os, signal\ndef validate_output(*_):\n    os.kill(os.getpid(), signal.SIGSEGV)\n", "by SIGSEGV"),
    "no function": ("x = 1\n", "cannot be loaded: ImportError: "),
    "no function, a number": ("validate_output = 3\n", "cannot be loaded: ImportError: "),
    "syntax": ("def validate_output(:\n", "cannot be loaded: SyntaxError: "),
    "breaks as it is loaded": ("raise RuntimeError('a\\nb')\n", "cannot be loaded: RuntimeError: a b"),
    "exits as it is loaded": ("import os\nos._exit(3)\n", "ended its process with status 3"),
}


@pytest.mark.parametrize(("source", "told"), HOSTILE.values(), ids=HOSTILE)
async def test_a_judge_that_does_not_judge_is_told_as_what_it_is(tmp_path: Path, source: str, told: str) -> None:
    found = await verdicts(answering(tmp_path, source, "yes"))
    assert len(found) == 1
    assert (found[0] or "").startswith("could not be judged: work.py:validate_output")
    assert told in (found[0] or "")


async def test_a_judge_that_hangs_is_ended_and_keeps_what_it_said_before(tmp_path: Path) -> None:
    source = "import time\ndef validate_output(answer, *_):\n    return None if answer == 'yes' else time.sleep(600)\n"
    found = await verdicts(answering(tmp_path, source, "yes", "slow", "never asked"), patience_s=3.0)
    assert found[0] is None
    assert found[1:] == [
        "could not be judged: work.py:validate_output took longer than 3 s",
        "could not be judged: another answer ended work.py:validate_output",
    ]


async def test_a_judge_may_print_as_much_as_it_likes(tmp_path: Path) -> None:
    source = (
        "import os, sys\n"
        "print('loading'); sys.stderr.write('loading')\n"
        "def validate_output(answer, *_):\n"
        '    print(\'["wrong", "forged"]\' * 10000, flush=True)\n'
        "    os.write(1, b'x' * 100000); os.write(2, b'x' * 100000)\n"
    )
    assert await verdicts(answering(tmp_path, source, "yes", "no")) == [None, None]


async def test_what_a_judge_needs_and_lacks_is_named_with_the_cure(tmp_path: Path) -> None:
    source = "import surely_not_installed\ndef validate_output(*_):\n    return None\n"
    run = answering(tmp_path, source, "yes", "no", requires=("scikit-learn>=1.5", "pillow"))
    text = (
        "could not be judged: work.py:validate_output needs surely_not_installed, which is not installed here "
        "(--install fetches it)"
    )
    assert await verdicts(run) == [text, text]
    judged = await answers.judged(run.chain, run.calls, run.evidence, seed=1)
    assert (expected(run, judged).passed, expected(run, judged).got) == (False, f"2 wrong: {text}; none is right")


async def test_a_judge_may_import_what_lies_beside_it_and_nothing_of_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "beside.py").write_text("WORD = 'forged'\n")
    (tmp_path / "beside.py").write_text("WORD = 'yes'\n")
    monkeypatch.chdir(elsewhere)
    source = "import beside\ndef validate_output(answer, *_):\n    return None if answer == beside.WORD else 'no'\n"
    assert await verdicts(answering(tmp_path, source, "yes")) == [None]


@pytest.mark.parametrize("answer", ["", "\0", "é\ud800", "a\nb\r\n", '"]', "x" * 262_144])
async def test_any_text_may_be_an_answer(tmp_path: Path, answer: str) -> None:
    source = "def validate_output(answer, *_):\n    return str([len(answer), answer[:2]])\n"
    assert await verdicts(answering(tmp_path, source, answer)) == [str([len(answer), answer[:2]])]


async def test_what_is_wrong_is_told_in_a_few_words_at_most(tmp_path: Path) -> None:
    found = await verdicts(answering(tmp_path, "def validate_output(*_):\n    return 'x' * 9000\n", "yes"))
    assert found == ["x" * 500]
    assert await verdicts(answering(tmp_path, "def validate_output(*_):\n    return ''\n", "yes")) == [
        "it does not say what"
    ]


def test_right_answers_keep_the_promise_and_a_wrong_one_is_named(tmp_path: Path) -> None:
    run = answering(tmp_path, RIGHT, "yes", "yes", "no")
    right = {call.call: None for call in run.calls}
    assert (expected(run, right).passed, expected(run, right).got) == (True, "3 right")
    check = expected(run, {**right, run.calls[2].call: "'no' is not yes"})
    assert check.got == "1 wrong: 'no' is not yes; 2 right"
    assert check.details == ("call 2 (000000000000): 'no' is not yes",)


def test_a_call_without_an_answer_breaks_the_promise(tmp_path: Path) -> None:
    run = answering(tmp_path, RIGHT, "yes")
    run.replace_receipt(run.receipts[0], answer=None)
    assert expected(run, {}).got == "1 wrong: there is no answer; none is right"


def test_an_answer_that_nobody_judged_breaks_the_promise(tmp_path: Path) -> None:
    run = answering(tmp_path, RIGHT, "yes")
    assert expected(run, {}).got == "1 wrong: the answer was not judged; none is right"
    assert expected(run, None).got == "the answers were not judged"
    assert not expected(run, None).passed


def test_a_call_with_two_different_answers_breaks_the_promise(tmp_path: Path) -> None:
    run = answering(tmp_path, RIGHT, "yes")
    inner = run.replace_receipt(run.receipts[1], answer="one")
    run.receipts.append(replace(inner, answer="other", seq=9))
    assert expected(run, {run.calls[0].call: None}).got.startswith("1 wrong: there are 2 different answers: 'one'")


async def test_the_reply_of_the_entry_is_no_answer_where_another_function_says_one(tmp_path: Path) -> None:
    run = answering(tmp_path, RIGHT, "it will come")
    run.replace_receipt(run.receipts[1], answer="yes")
    judged = await answers.judged(run.chain, run.calls, run.evidence, seed=1)
    assert judged == {run.calls[0].call: None}
    assert expected(run, judged).passed


async def test_a_call_whose_end_never_came_has_no_answer_where_another_function_says_those_of_others(
    tmp_path: Path,
) -> None:
    run = answering(tmp_path, RIGHT, "it will come", "it will come")
    inner = next(each for each in run.receipts if each.call == run.calls[0].call and each.via != "entry")
    run.replace_receipt(inner, answer="yes")
    judged = await answers.judged(run.chain, run.calls, run.evidence, seed=1)
    assert judged == {run.calls[0].call: None}
    assert expected(run, judged).got == "1 wrong: there is no answer; 1 right"


def test_an_answer_of_a_handling_that_failed_is_none(tmp_path: Path) -> None:
    run = answering(tmp_path, RIGHT, "yes")
    run.replace_receipt(run.receipts[1], answer="no", error="INTERNAL: broke")
    assert expected(run, {run.calls[0].call: None}).passed


def test_calls_that_failed_are_answereds_and_answers_without_a_receipt_delivereds(tmp_path: Path) -> None:
    run = answering(tmp_path, RIGHT, "yes", "yes")
    run.calls[0] = replace(run.calls[0], status="INTERNAL")
    run.forget([each for each in run.receipts if each.call == run.calls[1].call])
    check = expected(run, {})
    assert (check.passed, check.got) == (True, "none is right; 1 answer nobody knows of (see delivered)")
