"""The JSON Schema for editors: fresh, valid, and of one mind with the parser."""

from __future__ import annotations

from pathlib import Path

from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # has no stubs of its own

from toolkit.spec import schema

FILE = Path(__file__).parents[3] / "schemas" / "chain.schema.json"


def test_the_schema_file_is_fresh() -> None:
    remedy = (
        "run: python -c 'from toolkit.spec import schema; print(schema.text(), end=\"\")' > schemas/chain.schema.json"
    )
    assert FILE.read_text(encoding="utf-8") == schema.text(), remedy


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(schema.build())
