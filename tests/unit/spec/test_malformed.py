"""Chains that cannot be used, each with all that is said about it. A file under `malformed/` begins with its answers.

`# expect:` is a line of the error without the file's name, `# set:` a `--set`, and `# schema: accepts` marks what a
JSON Schema cannot say (rules between values, duplicate keys, and YAML that other readers read).
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # has no stubs of its own

from toolkit.errors import Exit, SpecError
from toolkit.spec import parse, schema, yamltree

FILES = sorted((Path(__file__).parent / "malformed").glob("*.yaml"))
FUNCTION = b'name: sample\nfunctions:\n  producer: {handler: "handlers.py:produce"}\n'


def refusal(data: bytes, overrides: dict[str, str] | None = None) -> SpecError:
    with pytest.raises(SpecError) as caught:
        parse(data, origin="chain.yaml", folder=".", overrides=overrides)
    assert caught.value.exit is Exit.USAGE
    return caught.value


def marked(text: str, mark: str) -> list[str]:
    return [line.removeprefix(f"# {mark}: ") for line in text.splitlines() if line.startswith(f"# {mark}: ")]


def as_expected(line: str) -> str:
    return line.removeprefix("chain.yaml:").strip() if line.startswith("chain.yaml:") else line


def test_the_corpus_is_large() -> None:
    assert len(FILES) >= 70


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_malformed_chain_gets_exactly_its_messages(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    settings = [line.encode().decode("unicode_escape").partition("=") for line in marked(text, "set")]
    error = refusal(text.encode(), {name: value for name, _, value in settings})
    assert [as_expected(line) for line in str(error).splitlines()] == marked(text, "expect")


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_schema_refuses_what_a_schema_can_say(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError:
        assert "# schema: accepts" not in text
        return
    accepted = Draft202012Validator(schema.build()).is_valid(document)
    assert accepted == ("# schema: accepts" in text)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "chain.yaml: the file is empty; a chain.yaml begins with `name: my-chain`"),
        (b" \n\n", "chain.yaml: the file is empty; a chain.yaml begins with `name: my-chain`"),
        (b"name: sam\0ple\n", "chain.yaml:1:10: a NUL byte does not belong in a text file"),
        (b"name: a\nabout: \x1b[2J\n", "chain.yaml:2:8: the control character U+001B does not belong in a text file"),
        (b"a: 1\r\rb: \xe2\x80\xa8", "chain.yaml:3:4: the control character U+2028 does not belong in a text file"),
        (b"name: a\nabout: caf\xe9\n", "chain.yaml:2:11: byte 0xe9 is not UTF-8"),
        ("about: ü".encode() + b"\xff", "chain.yaml:1:9: byte 0xff is not UTF-8"),
        (b"name: \xed\xa0\x80\n", "chain.yaml:1:7: byte 0xed is not UTF-8"),
        (
            b"\xef\xbb\xbfname: sample\n",
            "chain.yaml:1:1: the file begins with a byte order mark; save it as UTF-8 without BOM",
        ),
        ("name: sample\n".encode("utf-16"), "chain.yaml:1:1: the file is UTF-16; save it as UTF-8"),
        (b"\x89PNG\r\n\x1a\n", "chain.yaml:1:1: byte 0x89 is not UTF-8"),
        (
            b"#" * 10_000_000,
            "chain.yaml: the file has 10,000,000 bytes; a chain.yaml has at most 1,048,576",
        ),
    ],
    ids=[
        "empty",
        "blank",
        "nul",
        "escape",
        "line-separator",
        "latin-1",
        "half-utf-8",
        "surrogate",
        "bom",
        "utf-16",
        "png",
        "10-mb",
    ],
)
def test_bytes_that_are_no_yaml_text_are_refused_with_their_place(data: bytes, message: str) -> None:
    assert str(refusal(data)) == message


def test_deep_nesting_is_refused_before_it_is_built() -> None:
    assert str(refusal(b"a: " + b"[" * 500_000)) == "chain.yaml:1:23: nested deeper than 20 levels"
    assert str(refusal(b"{a: " * 200_000)) == "chain.yaml:1:78: nested deeper than 20 levels"


def test_a_megabyte_of_one_value_is_cut_short_in_its_message() -> None:
    error = refusal(b"name: " + b"A" * 1_000_000)
    assert all(len(problem.message) < 200 for problem in error.problems)


def test_thousands_of_unknown_names_are_all_reported() -> None:
    names = "".join(f"  f{number}: {{handler: 'handlers.py:run'}}\n" for number in range(500))
    edges = "".join(f"  - {{from: g{number}, to: h{number}, via: call}}\n" for number in range(5000))
    error = refusal(f"name: sample\nfunctions:\n{names}edges:\n{edges}".encode())
    assert len(error.problems) == 10_000


def test_a_lattice_of_functions_repeated_0_times_is_not_walked_path_by_path() -> None:
    layers = [(f"a{number}", f"b{number}") for number in range(60)]
    functions = "".join(f"  {name}: {{handler: 'm:f', repeat: 0}}\n" for pair in layers for name in pair)
    edges = "".join(f"  - {{from: start, to: {name}, via: call}}\n" for name in layers[0])
    for above, below in pairwise(layers):
        edges += "".join(f"  - {{from: {one}, to: {two}, via: call}}\n" for one in above for two in below)
    edges += "".join(f"  - {{from: {name}, to: end, via: call}}\n" for name in layers[-1])
    ends = "  start: {handler: 'm:f'}\n  end: {handler: 'm:f'}\n"
    error = refusal(f"name: sample\nfunctions:\n{ends}{functions}edges:\n{edges}".encode())
    assert "already there" in str(error)


def test_a_thousand_fallbacks_of_fallbacks_are_followed_once_each() -> None:
    functions = "".join(f"  f{number}: {{handler: 'm:f'}}\n" for number in range(990))
    edges = "".join(f"  - {{from: f0, to: f{n + 1}, via: call, fallback: f{n}}}\n" for n in range(1, 989))
    text = f"name: sample\nfunctions:\n{functions}edges:\n  - {{from: f0, to: f1, via: call, count: 3}}\n{edges}"
    found = parse(text.encode(), origin="chain.yaml", folder=".")
    assert (found.edges[-1].least, found.edges[-1].most) == (0, 3)
    circle = text.replace("via: call, count: 3", "via: call, fallback: f989")
    assert "fallbacks stand in for each other in a circle: f989 → f1 → f2 → " in str(refusal(circle.encode()))


def test_the_file_is_named_for_its_own_problems() -> None:
    error = refusal(FUNCTION + b"about: 5\n", {})
    assert str(error).startswith("chain.yaml:4:8: about: expected a text, found the number 5")


def test_an_origin_that_is_not_the_file_is_named_instead() -> None:
    error = refusal(b"parameters: {length: 2}\n" + FUNCTION, {"length": "two"})
    assert str(error) == "--set: length: 'two' is not an integer"


def test_both_parsers_of_pyyaml_give_the_same_tree_and_positions(monkeypatch: pytest.MonkeyPatch) -> None:
    data = b"name: s\nabout: >\n  long\n  text\nlist:\n- a\n- {b: 'q', c: \"d\"}\n-\n  - 1\n"
    usual = yamltree.read(data)
    monkeypatch.setattr(yamltree, "LOADER", yaml.SafeLoader)
    assert yamltree.read(data) == usual
