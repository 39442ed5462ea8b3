"""Extra annotations: what Go's durations are, where each annotation goes, and how many fit."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.errors import SpecError
from toolkit.spec import parse
from toolkit.spec.annotations import seconds
from toolkit.spec.model import Function


def function(annotations: str) -> Function:
    text = f"name: a\nfunctions: {{f: {{handler: 'm:f', annotations: {{{annotations}}}}}}}\n"
    return parse(text.encode(), origin="chain.yaml", folder=".").function("f")


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("0", "0"),
        ("0s", "0"),
        ("90s", "90"),
        ("1m5s", "65"),
        ("1h1m1s", "3661"),
        ("1.5h", "5400"),
        (".5s", "0.5"),
        ("1.s", "1"),
        ("1500ms", "1.5"),
        ("1us", "0.000001"),
        ("1µs", "0.000001"),
        ("+3s", "3"),
        ("-3s", "-3"),
    ],
)
def test_a_duration_is_read_as_go_reads_it(text: str, read: str) -> None:
    assert seconds(text) == Decimal(read)


@pytest.mark.parametrize("text", ["", "60", "s", "1d", "1s ", "--1s", "1 s", ".s", "1S", "PT1S", "1s1", "1:30"])
def test_what_go_does_not_read_is_no_duration(text: str) -> None:
    assert seconds(text) is None


@given(st.text(max_size=12))
def test_any_text_is_a_duration_or_none(text: str) -> None:
    read = seconds(text)
    assert read is None or read.is_finite()


def test_each_annotation_goes_where_knative_reads_it() -> None:
    found = function(
        "serving.knative.dev/rollout-duration: 60s, serving.knative.dev/progress-deadline: 30s, "
        "networking.knative.dev/ingress-class: kourier.ingress.networking.knative.dev, example.com/owner: me"
    )
    assert found.service_annotations == {
        "serving.knative.dev/rollout-duration": "60s",
        "networking.knative.dev/ingress-class": "kourier.ingress.networking.knative.dev",
    }
    assert found.annotations == {"serving.knative.dev/progress-deadline": "30s", "example.com/owner": "me"}


def test_more_than_kubernetes_takes_is_refused() -> None:
    half = "x" * 124_900
    assert function(f"example.com/a: {half}, example.com/b: {half}").annotations["example.com/b"] == half
    with pytest.raises(SpecError, match="the annotations have more than 250,000 bytes altogether"):
        function(f"example.com/a: {half}, example.com/b: {half}, example.com/c: {'ü' * 200}")
