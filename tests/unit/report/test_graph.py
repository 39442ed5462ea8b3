"""A chain as a drawing, in four languages."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from toolkit import catalog
from toolkit.report import graph
from toolkit.spec import parse
from toolkit.spec.model import ChainSpec

VALID = Path(__file__).parents[1] / "spec" / "valid"
MIXED = """
name: mixed
about: A call, then an event.
parameters: {payload: {default: 4KiB, about: bytes, min: 0, max: 1MiB}, pause: 250ms, eager: true}
functions:
  end: {handler: "handlers.py:first"}
  publisher: {handler: "handlers.py:publish", replicas: 2, about: Emits.}
  reader: {handler: "handlers.py:read"}
  writer: {handler: "handlers.py:write"}
  drain: {handler: "handlers.py:drain"}
edges:
  - {from: end, to: publisher, via: call}
  - {from: publisher, to: reader, via: event}
  - {from: publisher, to: writer, via: event}
broker: {name: post, acknowledge: async, delivery: {retry: 3, delay: 100ms, timeout: 5s, dead-letter: drain}}
requires: ["pillow>=11"]
"""


def chain(text: str = MIXED) -> ChainSpec:
    return parse(text.encode(), origin="chain.yaml", folder="here")


def test_mermaid_draws_events_through_the_broker_and_no_name_as_a_word_of_its_own() -> None:
    assert graph.mermaid(chain()) == (
        "flowchart LR\n"
        '  caller(["caller"])\n'
        '  f0["end"]\n'
        '  f1["publisher ×2"]\n'
        '  f2["reader"]\n'
        '  f3["writer"]\n'
        '  f4["drain"]\n'
        '  broker{{"broker post"}}\n'
        '  caller -->|"helloworld.Greeter/SayHello"| f0\n'
        '  f0 -->|"link.Link/Send"| f1\n'
        '  f1 -.->|"mixed.publisher"| broker\n'
        '  broker -.->|"mixed.publisher of publisher"| f2\n'
        '  broker -.->|"mixed.publisher of publisher"| f3\n'
        '  broker -.->|"dead letters"| f4\n'
    )


def test_dot_draws_events_dashed_through_the_broker() -> None:
    assert graph.dot(chain()) == (
        'digraph "mixed" {\n'
        "  rankdir=LR;\n"
        "  node [shape=box];\n"
        "  caller [shape=oval];\n"
        '  "function end" [label="end"];\n'
        '  "function publisher" [label="publisher ×2"];\n'
        '  "function reader" [label="reader"];\n'
        '  "function writer" [label="writer"];\n'
        '  "function drain" [label="drain"];\n'
        '  broker [shape=hexagon, label="broker post"];\n'
        '  caller -> "function end" [label="helloworld.Greeter/SayHello"];\n'
        '  "function end" -> "function publisher" [label="link.Link/Send"];\n'
        '  "function publisher" -> broker [label="mixed.publisher", style=dashed];\n'
        '  broker -> "function reader" [label="mixed.publisher of publisher", style=dashed];\n'
        '  broker -> "function writer" [label="mixed.publisher of publisher", style=dashed];\n'
        '  broker -> "function drain" [label="dead letters", style=dashed];\n'
        "}\n"
    )


def test_text_says_what_the_chain_is_and_what_can_be_changed() -> None:
    assert graph.text(chain()) == (
        "mixed — A call, then an event.\n"
        "\n"
        "functions\n"
        "  end        handlers.py:first    h2c\n"
        "  publisher  handlers.py:publish  h2c, 2 replicas; Emits.\n"
        "  reader     handlers.py:read     http1\n"
        "  writer     handlers.py:write    http1\n"
        "  drain      handlers.py:drain    http1\n"
        "\n"
        "edges\n"
        "  caller     →  end        call helloworld.Greeter/SayHello\n"
        "  end        →  publisher  call link.Link/Send\n"
        "  publisher  ⇢  reader     event mixed.publisher\n"
        "  publisher  ⇢  writer     event mixed.publisher\n"
        "\n"
        "broker post\n"
        "  answers the producer before the deliveries (async)\n"
        "  retries 3 times, exponential from 100ms, each given 5s\n"
        "  sends what nobody takes to drain\n"
        "\n"
        "parameters\n"
        "  payload  4KiB   bytes (0B to 1MiB)\n"
        "  pause    250ms\n"
        "  eager    true\n"
        "\n"
        "requires\n"
        "  pillow>=11\n"
    )


def test_a_function_alone_is_short() -> None:
    assert graph.text(chain('name: one\nfunctions: {only: {handler: "m:f"}}\n')) == (
        "one\n\nfunctions\n  only  m:f  h2c\n\nedges\n  caller  →  only  call helloworld.Greeter/SayHello\n"
    )


def test_one_bound_alone_is_said() -> None:
    knobs = "parameters: {n: {default: 2, min: 1}, m: {default: 2s, max: 3s}}"
    text = graph.text(chain(f'name: a\n{knobs}\nfunctions: {{f: {{handler: "m:f"}}}}\n'))
    assert "n  2   (at least 1)" in text
    assert "m  2s  (at most 3s)" in text


def test_json_is_plain_data_with_the_words_of_the_chain_file() -> None:
    found = graph.as_json(chain())
    assert json.loads(json.dumps(found)) == found
    first = {"from": "publisher", "to": "reader", "via": "event", "method": None, "type": "mixed.publisher"}
    assert first.items() <= found["edges"][1].items()
    assert (found["edges"][1]["least"], found["edges"][1]["most"], found["edges"][1]["loop"]) == (1, 1, None)
    assert found["broker"]["delivery"]["dead_letter"] == "drain"
    assert [each["name"] for each in found["functions"]] == ["end", "publisher", "reader", "writer", "drain"]
    assert found["parameters"][0]["value"] == 4096
    assert graph.as_json(chain('name: one\nfunctions: {only: {handler: "m:f"}}\n'))["broker"] is None


PATTERNS = """
name: all
functions:
  front: {gateway: /go}
  start: {handler: "handlers.py:start"}
  rates: {image: "docker.io/acme/rates:1"}
  mirror: {command: [./mirror, --fast]}
  shard: {handler: "handlers.py:find", parallel: 2}
  sort: {handler: "handlers.py:sort"}
  gather: {handler: "handlers.py:gather", join: parts}
entry: start
edges:
  - {from: start, to: rates, via: call, retry: 3}
  - {from: start, to: mirror, via: call, fallback: rates}
  - {from: start, to: shard, via: call, choice: way, transfer: file}
  - {from: start, to: sort, via: event, tasks: 1000}
  - {from: sort, to: sort, via: event, tasks: 1000}
  - {from: sort, to: front, via: event, when: done}
  - {from: mirror, to: mirror, via: call, loop: 4}
  - {from: start, to: gather, via: event, count: 1..8}
"""


def test_every_pattern_is_told_in_words() -> None:
    lines = graph.text(chain(PATTERNS)).splitlines()
    assert [" ".join(line.split()) for line in lines[3:10]] == [
        "front gateway /go http1",
        "start handlers.py:start h2c",
        "rates image docker.io/acme/rates:1 h2c",
        "mirror command ./mirror --fast h2c",
        "shard-1 handlers.py:find h2c",
        "shard-2 handlers.py:find h2c",
        "sort handlers.py:sort http1",
    ]
    assert [" ".join(line.split()) for line in lines[13:23]] == [
        "caller → start call helloworld.Greeter/SayHello and HTTP /go through front",
        "start → rates call link.Link/Send, retry 3",
        "start → mirror call link.Link/Send, in place of rates",
        "start → shard-1 call link.Link/Send, choice way, by file",
        "start → shard-2 call link.Link/Send, choice way, by file",
        "start ⇢ sort event all.start.sort, up to 1,000 tasks",
        "sort ⇢ sort event all.sort.sort, up to 1,000 tasks",
        "sort ⇢ front event all.sort.front, when all tasks are done",
        "mirror → mirror call link.Link/Send, ×0..1, loop 4",
        "start ⇢ gather event all.start, ×1..8",
    ]


def test_every_pattern_is_drawn() -> None:
    mermaid, dot = graph.mermaid(chain(PATTERNS)), graph.dot(chain(PATTERNS))
    assert '  f0(["front · gateway /go"])' in mermaid
    assert '  f7[["gather · joins the parts"]]' in mermaid
    assert '  caller -->|"HTTP /go"| f0' in mermaid
    assert '  f3 -->|"link.Link/Send · ×0..1 · loop 4"| f3' in mermaid
    assert '  f6 -.->|"all.sort.front · when all tasks are done"| broker' in mermaid
    assert '"function front" [label="front · gateway /go", shape=oval];' in dot
    assert '"function gather" [label="gather · joins the parts", peripheries=2];' in dot


def test_a_sub_chain_is_drawn_as_one() -> None:
    found = catalog.load("archive", {})
    assert '  subgraph s6 ["seal"]\n    f2["seal-aes"]\n  end\n' in graph.mermaid(found)
    assert '  subgraph "cluster seal" {\n    label="seal";\n' in graph.dot(found)
    assert "of the sub-chain seal" in graph.text(found)


def test_the_patterns_of_a_chain_are_listed() -> None:
    assert graph.as_json(chain(PATTERNS))["patterns"] == [
        *("count", "choice", "loop", "retry", "fallback", "tasks", "transfer", "parallel", "join", "gateway"),
        "stranger",
    ]
    assert graph.as_json(chain())["patterns"] == []


@pytest.mark.parametrize("file", sorted(VALID.glob("*.yaml")), ids=lambda file: file.stem)
def test_every_right_chain_can_be_drawn(file: Path) -> None:
    found = chain(file.read_text(encoding="utf-8"))
    for function in found.functions:
        assert f'["{function.name}' in graph.mermaid(found)
        assert f'"function {function.name}" [' in graph.dot(found)
        assert function.name in graph.text(found)


def test_hostile_names_stay_inside_their_quotes() -> None:
    hostile = 'x"]; click f0 "javascript:alert(1)" <script>#quot;\n end\\'
    found = replace(chain(), name=hostile, entry=hostile, functions=(replace(chain().functions[0], name=hostile),))
    found = replace(found, edges=(replace(chain().edges[0], source=hostile, to=hostile, method=hostile),))
    mermaid = graph.mermaid(found).splitlines()
    labels = [line for line in mermaid if "x#34;" in line]
    assert all(re.fullmatch(r'  \S+ ?(?:-->\|)?(?:\[)?"[^"<>]*"(?:\]|\| f0)', line) for line in labels)
    assert len(labels) == 2
    strings = re.sub(r'"(?:[^"\\]|\\.)*"', "S", graph.dot(found), flags=re.DOTALL)
    assert strings == (
        "digraph S {\n  rankdir=LR;\n  node [shape=box];\n  caller [shape=oval];\n  S [label=S];\n"
        "  broker [shape=hexagon, label=S];\n  caller -> S [label=S];\n  S -> S [label=S];\n"
        "  broker -> S [label=S, style=dashed];\n}\n"
    )


def test_an_about_of_several_lines_is_one_line_of_the_text() -> None:
    text = graph.text(chain('name: one\nabout: "a\\nb"\nfunctions: {only: {handler: "m:f", about: "c\\td"}}\n'))
    assert text.splitlines()[0] == "one — a b"
    assert "h2c; c d" in text
