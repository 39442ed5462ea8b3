"""Kubernetes quantities: `250m`, `512Mi`, `2`. The only place of the project that knows how they are written.

May not live here: what a quantity is for, and which of them make sense together (`demands`).
Source: k8s.io/apimachinery/pkg/api/resource/quantity.go, and the pattern of a quantity in Knative's CRDs.
"""

from __future__ import annotations

import re
from decimal import Context, Decimal

from toolkit.contract.units import shown

_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_NUMBER = r"[0-9]{1,20}(?:\.[0-9]{0,20})?|\.[0-9]{1,20}"
PATTERN = rf"[-+]?(?:{_NUMBER})(?:[KMGTPE]i|[numkMGTPE]|[eE][-+]?[0-9]{{1,2}})?"
FORMS = "write 250m or 2 (of CPUs), 512Mi or 1G (of bytes)"
_PARTS = re.compile(rf"([-+]?(?:{_NUMBER}))(.*)")
_EXACT = Context(prec=130)  # more digits than a number and an exponent have
# What people write for a suffix, by how they write it in lower case without blanks.
_MEANT = {
    **{f"{each.lower()}b": each for each in _BINARY},
    **{each.lower(): each for each in _BINARY},
    "k": "k",
    "kb": "k",
    "mb": "M",
    "gb": "G",
    "tb": "T",
    "g": "G",
    "t": "T",
    "p": "P",
    "b": "",
    "core": "",
    "cores": "",
    "cpu": "",
    "cpus": "",
    "vcpu": "",
    "millicores": "m",
    "millicpu": "m",
}


def amount(text: str) -> Decimal:
    """What `text` means, in CPUs or bytes or pieces. ValueError says how a quantity is written."""
    parts = _PARTS.fullmatch(text) if re.fullmatch(PATTERN, text) else None
    if parts is None:
        raise ValueError(f"{shown(text)} is not a quantity{_hint(text)}")
    number, suffix = Decimal(parts[1]), parts[2]
    if suffix in _BINARY:
        return _EXACT.multiply(number, Decimal(1 << _BINARY[suffix]))
    exponent = _DECIMAL[suffix] if suffix in _DECIMAL else int(suffix[1:])
    return number.scaleb(exponent, _EXACT)


def _hint(text: str) -> str:
    parts = _PARTS.fullmatch(text.strip())
    meant = _MEANT.get(parts[2].strip().lower()) if parts else None
    return f"; {FORMS}" if parts is None or meant is None else f" — did you mean '{parts[1]}{meant}'?"
