"""Where a gRPC target leads."""

from __future__ import annotations

import pytest

from toolkit.errors import UsageError
from toolkit.load import addresses
from toolkit.load.addresses import Addresses


@pytest.mark.parametrize(
    ("target", "all_of_them", "authority"),
    [
        ("127.0.0.1:80", [("127.0.0.1", 80)], "127.0.0.1:80"),
        ("producer.default.svc:8080", [("producer.default.svc", 8080)], "producer.default.svc:8080"),
        ("dns:///producer:80", [("producer", 80)], "producer:80"),
        ("dns:producer:80", [("producer", 80)], "producer:80"),
        ("dns:80", [("dns", 80)], "dns:80"),
        ("producer", [("producer", 443)], "producer:443"),
        ("[::1]:80", [("::1", 80)], "[::1]:80"),
        ("::1", [("::1", 443)], "[::1]:443"),
        ("ipv4:10.0.0.1:80,10.0.0.2:81", [("10.0.0.1", 80), ("10.0.0.2", 81)], "10.0.0.1:80"),
        ("ipv6:[::1]:80,[::2]:81", [("::1", 80), ("::2", 81)], "[::1]:80"),
    ],
)
def test_a_target_leads_to_its_addresses(target: str, all_of_them: list[tuple[str, int]], authority: str) -> None:
    assert addresses.of(target) == Addresses(all_of_them, authority)


def test_an_ingress_is_asked_for_the_authority() -> None:
    assert addresses.of("10.0.0.1:80", "producer.example.com").authority == "producer.example.com"


@pytest.mark.parametrize(
    "target", ["", ":80", "h:x", "h:99999", "ipv4:", "ipv4:1.2.3.4:80,", "u@h:1", "h:1/x", "unix:/x"]
)
def test_what_leads_nowhere_is_refused(target: str) -> None:
    with pytest.raises(UsageError, match="cannot be called"):
        addresses.of(target)
