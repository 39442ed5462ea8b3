"""The parser is of one mind with a real API server and Knative's webhooks, wherever a chain.yaml can say the same.

`verdicts.yaml` holds how it is said; the verdicts are those of `tests/data/webhooks`, recorded on a real cluster.
"""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
import yaml

from toolkit.errors import SpecError
from toolkit.spec import parse
from toolkit.spec.model import ChainSpec
from toolkit.spec.notes import notes

RECORDING = Path(__file__).parents[2] / "data" / "webhooks" / "verdicts.ndjson"
TABLE: dict[str, Any] = yaml.safe_load((Path(__file__).parent / "verdicts.yaml").read_text(encoding="utf-8"))
UNREACHABLE: dict[str, list[str]] = TABLE.pop("unreachable")
Case = tuple[str, str, str]  # its id, what the text is, and the text
# By what is said, a chain that says it, and where its problems are.
CHAINS = {
    "function": ("name: sample\nfunctions: {{f: {{handler: 'm:f', {0} }}}}\n", "functions.f."),
    "receiver": (
        "name: sample\nfunctions: {{e: {{handler: 'm:f'}}, f: {{handler: 'm:f', {0} }}}}\n"
        "edges: [{{from: e, to: f, via: event}}]\n",
        "functions.f.",
    ),
    "edge": (
        "name: sample\nfunctions: {{e: {{handler: 'm:f'}}, f: {{handler: 'm:f'}}}}\n"
        "edges: [{{from: e, to: f, via: event, {0} }}]\n",
        "edges[0].",
    ),
    "broker": (
        "name: sample\nfunctions: {{e: {{handler: 'm:f'}}, f: {{handler: 'm:f'}}}}\n"
        "edges: [{{from: e, to: f, via: event}}]\nbroker: {{ {0} }}\n",
        "broker.",
    ),
    "letters": (  # that are dead, and their function
        "name: sample\nfunctions: {{e: {{handler: 'm:f'}}, f: {{handler: 'm:f'}}, lost: {{handler: 'm:f'}}}}\n"
        "edges: [{{from: e, to: f, via: event}}]\nbroker: {{ {0} }}\n",
        "broker.",
    ),
    "name": ("name: sample\nfunctions: {{'{0}': {{handler: 'm:f'}}}}\n", "functions."),
    "chain": ("{0}\n", ""),
}


def cases(*verdicts: str) -> list[Any]:
    rows = [
        (name, kind, text) for each in verdicts for kind, said in TABLE[each].items() for name, text in said.items()
    ]
    return [pytest.param(row, id=row[0]) for row in rows]


def read(case: Case) -> ChainSpec:
    _, kind, text = case
    return parse(CHAINS[kind][0].format(text).encode(), origin="chain.yaml", folder=".")


@pytest.mark.parametrize("case", cases("accepted", "observed ready"))
def test_what_a_cluster_takes_is_taken(case: Case) -> None:
    assert read(case).name == "sample"


@pytest.mark.parametrize("case", cases("refused", "never ready", "without effect", "observed never ready"))
def test_what_a_cluster_refuses_or_lets_wait_for_ever_is_refused_in_its_place(case: Case) -> None:
    with pytest.raises(SpecError) as caught:
        read(case)
    where = CHAINS[case[1]][1]
    assert [each for each in caught.value.problems if not f"{each.path}.".startswith(where)] == []


@pytest.mark.parametrize("case", cases("behind a flag", "waits for the cluster"))
def test_what_depends_on_the_cluster_is_taken_with_a_note(case: Case) -> None:
    assert notes(read(case))


def recorded() -> dict[str, bool]:
    lines = RECORDING.read_text(encoding="utf-8").splitlines()
    return {case["id"]: case["accepted"] for case in map(json.loads, lines)}


def said(*verdicts: str) -> set[str]:
    return {param.values[0][0] for param in cases(*verdicts)}


def test_the_table_says_what_was_recorded() -> None:
    taken = said("accepted", "never ready", "without effect", "waits for the cluster")
    refused = said("refused", "behind a flag")
    assert not taken & refused
    wrong = [name for name, accepted in recorded().items() if name in (refused if accepted else taken)]
    assert wrong == []


def test_every_recorded_verdict_can_be_said_here_or_has_a_reason() -> None:
    patterns = [pattern for each in UNREACHABLE.values() for pattern in each]
    assert [
        name
        for name in recorded()
        if name not in said(*TABLE) and not any(fnmatchcase(name, pattern) for pattern in patterns)
    ] == []


def test_most_of_the_table_is_about_a_cluster_and_not_about_notation() -> None:
    assert len(said("accepted")) >= 90
    assert len(said("refused")) >= 120
