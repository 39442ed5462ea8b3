"""What a right chain.yaml means. A file under `valid/` begins with its own answers: entry, functions and edges."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # has no stubs of its own

from toolkit import catalog
from toolkit.errors import SpecError
from toolkit.spec import language, parse, schema
from toolkit.spec.model import Broker, ChainSpec, Delivery, OwnLoad, Parameter

HERE = Path(__file__).parent
ROOT = Path(__file__).parents[3]
FILES = sorted((HERE / "valid").glob("*.yaml"))
CHAINS = sorted((ROOT / "benchmarks").glob("*/chain.yaml"))
ROW = """
name: row
parameters: {length: {default: 2, min: 2, max: 100}, payload: 1KiB}
functions:
  producer: {handler: "handlers.py:produce"}
  relay: {handler: "handlers.py:relay", repeat: "${length - 2}"}
  consumer: {handler: "handlers.py:consume"}
edges:
  - {from: producer, to: relay, via: event}
  - {from: relay, to: consumer, via: event}
"""


def chain(text: str, **overrides: str) -> ChainSpec:
    return parse(text.encode(), origin="chain.yaml", folder="here", overrides=overrides, resolve=catalog.find_inner)


def valid(name: str) -> ChainSpec:
    return chain((HERE / "valid" / f"{name}.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_right_chain_means_what_its_head_says(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    found = chain(text)
    edges = [f"# edge: {each.source} → {each.to} {each.via} {each.method or each.type}" for each in found.edges]
    functions = "# functions: " + ", ".join(f"{each.name} {each.protocol}" for each in found.functions)
    assert [line for line in text.splitlines() if re.match("# (edge|functions|entry):", line)] == [
        *edges,
        functions,
        f"# entry: {found.entry}",
    ]


@pytest.mark.parametrize("file", [*FILES, *CHAINS], ids=lambda file: f"{file.parent.name}-{file.stem}")
def test_a_right_chain_is_right_for_editors_too(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert chain(text).name
    assert [error.message for error in Draft202012Validator(schema.build()).iter_errors(yaml.safe_load(text))] == []


def test_the_known_services_are_those_of_the_protos() -> None:
    found = {}
    for proto in sorted((ROOT / "protos").glob("*.proto")):
        text = proto.read_text(encoding="utf-8")
        package = re.findall(r"^package ([\w.]+);", text, re.MULTILINE)[0]
        for service, body in re.findall(r"^service (\w+) \{(.*?)^\}", text, re.MULTILINE | re.DOTALL):
            found[f"{package}.{service}"] = re.findall(r"rpc (\w+)", body)
    assert {name: list(methods) for name, methods in language.SERVICES.items()} == found


def test_other_services_can_be_known() -> None:
    text = """
name: custom
functions: {a: {handler: "m:f"}, b: {handler: "m:f"}}
edges: [{from: a, to: b, via: call, method: acme.Rocket/Fly}]
"""
    found = parse(text.encode(), origin="", folder="", services={"acme.Rocket": ["Fly"]})
    assert found.edges[0].method == "acme.Rocket/Fly"


def test_the_chain_keeps_its_file_and_folder() -> None:
    found = chain(ROW)
    assert (found.text, found.folder) == (ROW, "here")
    assert found.sha256 == hashlib.sha256(ROW.encode()).hexdigest()
    assert found.about == ""


def test_kinds_of_parameters_are_told_by_their_defaults() -> None:
    kinds = {each.name: (each.kind, each.value) for each in valid("everything").parameters}
    assert kinds == {
        "payload": ("size", 1024),
        "pause": ("duration", 0.25),
        "count": ("integer", 3),
        "ratio": ("number", 0.5),
        "eager": ("flag", False),
        "word": ("text", "hello"),
    }
    assert valid("everything").parameters[0] == Parameter("payload", 1024, "size", "bytes", 0, 1 << 30)


def test_a_quoted_number_is_a_text() -> None:
    found = chain('name: a\nparameters: {word: "5"}\nfunctions: {f: {handler: "m:f"}}\n')
    assert found.parameters == (Parameter("word", "5", "text"),)


def test_the_environment_is_filled_with_values_that_programs_read() -> None:
    assert valid("everything").function("producer").env == {
        "SIZE": "1024",
        "PAUSE": "0.25s",
        "EAGER": "false",
        "WORD": "a hello of ${word}, $5",
        "NOTHING": "",
    }


def test_requirements_are_kept_as_they_stand() -> None:
    assert valid("everything").requires == ("pillow>=11", "numpy", "requests[socks] ~= 2.32, != 2.32.1")


def test_an_override_changes_the_value_and_what_hangs_on_it() -> None:
    found = chain(ROW, length="4", payload="2KiB")
    assert found.parameter("length") == 4
    assert found.parameter("payload") == 2048
    assert [each.name for each in found.functions] == ["producer", "relay-1", "relay-2", "consumer"]


@pytest.mark.parametrize(
    ("text", "value"), [("0B", 0), ("4096", 4096), ("1.5MiB", 3 << 19), ("1MB", 1_000_000), ("2 GiB", 2 << 30)]
)
def test_an_override_of_a_size_is_written_like_any_size(text: str, value: int) -> None:
    assert chain(ROW, payload=text).parameter("payload") == value


def test_a_number_may_be_overridden_by_a_whole_one() -> None:
    found = chain('name: a\nparameters: {ratio: 0.5}\nfunctions: {f: {handler: "m:f"}}\n', ratio="2")
    assert found.parameter("ratio") == 2.0


def test_a_flag_and_a_text_can_be_overridden() -> None:
    found = chain(
        'name: a\nparameters: {eager: false, word: hi}\nfunctions: {f: {handler: "m:f"}}\n', eager="true", word="5"
    )
    assert (found.parameter("eager"), found.parameter("word")) == (True, "5")


def test_a_chain_without_events_has_no_broker() -> None:
    assert valid("diamond").broker is None


def test_a_chain_with_events_has_knatives_default_broker() -> None:
    assert valid("broadcast").broker == Broker("default", "sync", Delivery(10, "exponential", 0.2, None, None))


def test_a_broker_says_how_it_delivers() -> None:
    assert valid("dead-letter").broker == Broker("post", "sync", Delivery(3, "linear", 0.1, 5.0, "drain"))


def test_a_broker_keeps_what_is_not_said() -> None:
    assert valid("everything").broker == Broker("default", "async", Delivery(0, "exponential", 0.2, None, None))


def test_copies_share_what_their_function_says() -> None:
    relays = [each for each in valid("repeat-5").functions if each.name.startswith("relay")]
    assert {(each.handler, each.replicas) for each in relays} == {("handlers.py:run", 2)}


def test_a_broker_may_stay_when_repetition_leaves_no_event() -> None:
    text = """
name: rows
functions: {a: {handler: "m:f"}, b: {handler: "m:f"}, c: {handler: "m:f", repeat: 0}}
edges: [{from: a, to: b, via: call}, {from: b, to: c, via: event}]
broker: {acknowledge: async}
"""
    assert chain(text).broker is None


def test_a_broken_parameter_is_not_blamed_on_its_users() -> None:
    with pytest.raises(SpecError) as caught:
        chain(ROW.replace("default: 2", "default: two"))
    assert [problem.path for problem in caught.value.problems] == ["parameters.length.min", "parameters.length.max"]


def test_equal_bytes_make_equal_chains() -> None:
    assert chain(ROW, length="7") == chain(ROW, length="7")


@pytest.mark.parametrize(
    ("said", "means"),
    [
        ("", OwnLoad()),
        ("load: {requests: 8, concurrency: 2}", OwnLoad(requests=8, concurrency=2)),
        ("load: {requests: 50, rate: 20}", OwnLoad(requests=50, rate=20)),
        ("load: {requests: 5000000}", OwnLoad(requests=5_000_000)),
        ("load: {rate: 0.5}", OwnLoad(rate=0.5)),
        ("load: {rate: 2.0e+1}", OwnLoad(rate=20)),
        ("load: {concurrency: 10000}", OwnLoad(concurrency=10_000)),
    ],
)
def test_a_chain_may_have_a_load_of_its_own(said: str, means: OwnLoad) -> None:
    text = f"name: own\nfunctions: {{a: {{handler: 'm:f'}}}}\n{said}\n"
    assert chain(text).load == means
    assert Draft202012Validator(schema.build()).is_valid(yaml.safe_load(text))


def test_the_load_of_a_sub_chain_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    inner = "name: inner\nfunctions: {a: {handler: 'm:f'}}\nload: {requests: 3, concurrency: 1}\n"
    (tmp_path / "inner" / "chain.yaml").write_text(inner)
    outer = tmp_path / "chain.yaml"
    whole = "name: outer\nfunctions: {a: {handler: 'm:f'}, b: {chain: inner}}\nedges: [{from: a, to: b, via: call}]\n"
    outer.write_text(whole)
    assert catalog.load(str(tmp_path)).load == OwnLoad()
    outer.write_text(f"{whole}load: {{rate: 5}}\n")
    assert catalog.load(str(tmp_path)).load == OwnLoad(rate=5)
