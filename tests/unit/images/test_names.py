"""Names of images: what is one, what a short one means, and which tag nobody should use."""

from __future__ import annotations

import pytest

from toolkit.errors import UsageError
from toolkit.images import names
from toolkit.images.names import Name


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("dev.local/chain:v1", Name("dev.local", "chain", "v1")),
        ("dev.local/chain", Name("dev.local", "chain")),
        ("localhost/a/b:1", Name("localhost", "a/b", "1")),
        ("localhost:5000/a:1", Name("localhost:5000", "a", "1")),
        ("[::1]:5000/a:1", Name("[::1]:5000", "a", "1")),
        ("ghcr.io/me/my__chain.x-y:A_b.c-1", Name("ghcr.io", "me/my__chain.x-y", "A_b.c-1")),
        ("chain:v1", Name("docker.io", "library/chain", "v1")),
        ("me/chain:v1", Name("docker.io", "me/chain", "v1")),
    ],
)
def test_a_name_is_read(text: str, wanted: Name) -> None:
    assert names.parse(text) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        ":",
        "a:",
        ":1",
        "A/b:1",
        "dev.local/A:1",
        "dev.local/a b:1",
        "dev.local/a:ü",
        "dev.local/a:-1",
        "dev.local/a@sha256:" + "0" * 64,
        "dev.local//a",
        "dev.local/a/",
        "dev.local/../a",
        "-x.y/a",
        "https://ghcr.io/a",
        "a" * 500,
        "dev.local/a:" + "t" * 129,
        "a\n:1",
    ],
)
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no name of an image"):
        names.parse(text)


def test_latest_is_refused_with_the_reason() -> None:
    with pytest.raises(UsageError, match="Kubernetes pulls it at every start"):
        names.parse("dev.local/chain:latest")


def test_without_a_tag_the_content_is_the_tag() -> None:
    assert names.of_chain("a-chain").tagged("0123456789ab") == "dev.local/a-chain:0123456789ab"
    assert names.parse("dev.local/a:v1").tagged("0123456789ab") == "dev.local/a:v1"
