"""Kubernetes quantities, as k8s.io/apimachinery reads them."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.spec import quantities


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("0", "0"),
        ("250m", "0.25"),
        ("2", "2"),
        ("0.5", "0.5"),
        (".5", "0.5"),
        ("5.", "5"),
        ("+1", "1"),
        ("-1", "-1"),
        ("100u", "0.0001"),
        ("1n", "0.000000001"),
        ("64k", "64000"),
        ("1.5G", "1500000000"),
        ("1E", "1000000000000000000"),
        ("512Mi", "536870912"),
        ("0.5Gi", "536870912"),
        ("1Ei", "1152921504606846976"),
        ("1e3", "1000"),
        ("1E3", "1000"),
        ("25e-3", "0.025"),
    ],
)
def test_a_quantity_means_what_kubernetes_reads(text: str, amount: str) -> None:
    assert quantities.amount(text) == Decimal(amount)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("64MiB", "64Mi"),
        ("64 Mi", "64Mi"),
        ("64mi", "64Mi"),
        ("64K", "64k"),
        ("512MB", "512M"),
        ("1 core", "1"),
        ("500 millicores", "500m"),
    ],
)
def test_a_slip_gets_what_was_meant(text: str, meant: str) -> None:
    with pytest.raises(ValueError, match=rf"^'{text}' is not a quantity — did you mean '{meant}'\?$"):
        quantities.amount(text)


@pytest.mark.parametrize("text", ["", "Mi", "1e2Mi", "1Ki2", "one", "1,5", "0x10", "1__0", "∞", "1\n", "NaN", "9" * 30])
def test_no_quantity_is_told_how_one_is_written(text: str) -> None:
    with pytest.raises(ValueError, match="is not a quantity; write 250m or 2 "):
        quantities.amount(text)


@given(st.text(max_size=12))
def test_any_text_is_a_quantity_or_is_refused(text: str) -> None:
    if re.fullmatch(quantities.PATTERN, text):
        assert quantities.amount(text).is_finite()
    else:
        with pytest.raises(ValueError, match="is not a quantity"):
            quantities.amount(text)


@given(st.integers(0, 10**15), st.sampled_from(["", "m", "k", "M", "Ki", "Mi", "Gi"]))
def test_a_quantity_grows_with_its_number(number: int, suffix: str) -> None:
    assert quantities.amount(f"{number}{suffix}") < quantities.amount(f"{number + 1}{suffix}")
