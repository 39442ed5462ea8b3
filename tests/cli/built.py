"""What tests ask of builds and of manifests: what a build tells a script, and which images a stream names."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from toolkit.cli import main

STRICT = ("--engine", "vhive", "--profile", "strict")
TO_TAR = ("--base", "base", "--to", "image.tar")


def build(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    """What a build of `chain` tells a script."""
    capsys.readouterr()
    assert main(["build", "chain", *arguments, "-o", "json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def images(stream: str) -> set[str]:
    """The functions' images in a stream of manifests."""
    found = [each for each in yaml.safe_load_all(stream) if each["apiVersion"] == "serving.knative.dev/v1"]
    containers = [each["spec"]["template"]["spec"]["containers"][0] for each in found]
    guests = [entry["value"] for each in containers for entry in each["env"] if entry["name"] == "GUEST_IMAGE"]
    return set(guests or [each["image"] for each in containers])
