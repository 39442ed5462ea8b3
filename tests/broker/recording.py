"""A recording of a real broker: one case a line, as it was recorded or as `curate` has made it smaller.

May live here: reading a case and turning its setup into our configuration. Header strings are latin-1 views of bytes.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from toolkit.engines.local.broker import BrokerConfig, DeliveryConfig, TriggerConfig

CURATED = Path(__file__).parent.parent / "data" / "broker" / "cases.ndjson"

NAMESPACE = "brokertruth"
FAR_SIDE = "http://10.88.88.1:18900"  # every subscriber of the recording
REFUSING = "http://10.88.88.1:18999"  # where nobody listened
INGRESS = "http://broker-ingress.knative-eventing.svc.cluster.local"
ASYNC = "messaging.knative.dev/async-handler"

REPLAYED = ("ingress", "attributes-headers", "filters", "replies", "delivery", "concurrency")

Case = dict[str, Any]


def load(path: Path = CURATED) -> list[Case]:
    with path.open(encoding="utf-8") as lines:
        cases = [json.loads(line) for line in lines]
    setups = {case["id"]: case["setup"] for case in cases}
    for case in cases:
        case["setup"] = dict(setups[case["setup"]["as"]] if "as" in case["setup"] else case["setup"])
        answers = case["setup"].get("answers") or {}
        case["setup"]["answers"] = {name: _steps(steps) for name, steps in answers.items()}
    triggers: dict[str, Any] = next((case["setup"]["triggers"] for case in cases if case["id"] == "3.triggers"), {})
    for case in cases:
        if case["setup"].get("triggers") == "see case 3.triggers":
            broker = case["setup"]["broker"]["name"]
            case["setup"]["triggers"] = [
                {"name": name, "spec": {"broker": broker, "subscriber": {"uri": f"{FAR_SIDE}/{name}"}, **spec}}
                for name, spec in triggers.items()
            ]
        case["deliveries"] = list(_expanded(case.get("deliveries") or ()))
    return [case for case in cases if case["group"] in REPLAYED and case["id"] != "3.triggers"]


def _steps(steps: Any) -> Any:
    """A script step by step, also where the curated form counts equal ones."""
    if not isinstance(steps, list):
        return steps
    return [step for each in steps for step in ([each["step"]] * each["times"] if "times" in each else [each])]


def _expanded(deliveries: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Each delivery for itself, also where the curated form says equal ones once."""
    for each in deliveries:
        if "same" in each:
            for sub in each["subs"]:
                yield {"sub": sub, "path": f"/{sub}", **each["same"]}
        else:
            yield dict(each)


def body_of(found: Mapping[str, Any] | str | None) -> bytes | None:
    """The bytes of a recorded body; None when there was none, or when only its digest was kept and nothing known fits.

    Raises LookupError in the latter case.
    """
    if isinstance(found, str):  # "'0123456789' * 500"
        text, _, times = found.partition(" * ")
        return text.strip("'").encode() * int(times)
    if not found or "len" not in found:
        return None
    if "sha256" in found:
        return _by_digest(found["len"], found["sha256"])
    return base64.b64decode(found["b64"]) if "b64" in found else str(found["text"]).encode()


@lru_cache(maxsize=8)
def _by_digest(size: int, digest: str) -> bytes:
    event = (
        b'{"specversion": "1.0", "type": "t.test", "source": "/src", "id": "s1", "datacontenttype": "application/json"'
    )
    guesses = [(bytes(range(251)) * (size // 251 + 1))[:size]]
    filler = size - len(event) - len(b', "data": ""}')
    guesses.append(event + b', "data": "' + b"y" * filler + b'"}')
    for guess in guesses:
        if hashlib.sha256(guess).hexdigest() == digest:
            return guess
    raise LookupError(f"no known body of {size} bytes has the digest {digest[:8]}")


def spelled_out(value: str) -> str:
    """A header value that the recording abbreviates, in full."""
    found = re.fullmatch(r"(.)\1*\.\.\.\[(\d+) chars\]", value)
    return found[1] * int(found[2]) if found else value


def abbreviated(value: str) -> str:
    return f"{value[:64]}...[{len(value)} chars]" if len(value) > 2000 else value


def seconds(text: str | None) -> float | None:
    """`PT0.1S`, the only form the recording uses."""
    return None if text is None else float(text.removeprefix("PT").removesuffix("S"))


def broker_of(case: Case, far_side: str, refusing: str) -> BrokerConfig:
    """The recorded setup as our configuration, its URLs pointing at `far_side` (`http://host:port`)."""

    def here(url: str) -> str:
        return url.replace(FAR_SIDE, far_side).replace(REFUSING, refusing)

    def delivery(found: Mapping[str, Any] | None) -> DeliveryConfig | None:
        if found is None:
            return None
        sink = found.get("deadLetterSink")
        return DeliveryConfig(
            found.get("retry"),
            found.get("backoffPolicy"),
            seconds(found.get("backoffDelay")),
            seconds(found.get("timeout")),
            here(sink["uri"]) if sink else None,
            found.get("format"),
        )

    setup = case["setup"]
    recorded = setup["broker"]
    first = (recorded.get("annotations") or {}).get(ASYNC) == "true"
    triggers = []
    for trigger in setup.get("triggers") or ():
        spec = trigger["spec"]
        subscriber = spec.get("subscriber") or {"uri": f"{FAR_SIDE}/{trigger['name']}"}
        if "uri" not in subscriber:
            continue  # unresolved, hence not Ready, hence not subscribed
        filters = tuple(spec.get("filters") or ())
        if spec.get("filter"):
            filters += (spec["filter"],)
        triggers.append(
            TriggerConfig(trigger["name"], (here(subscriber["uri"]),), filters, delivery(spec.get("delivery")))
        )
    return BrokerConfig(
        NAMESPACE, recorded["name"], tuple(triggers), "async" if first else "sync", delivery(recorded.get("delivery"))
    )


def waits(case: Case) -> list[float]:
    """Seconds before each retry of the case's one Trigger, by the formulas of `DeliverySpec`, written down anew."""
    trigger: Mapping[str, Any] = case["setup"]["triggers"][0]["spec"]
    found: Mapping[str, Any] | None = trigger.get("delivery", case["setup"]["broker"].get("delivery"))
    if found is None:  # the webhook's default
        found = {"retry": 10, "backoffPolicy": "exponential", "backoffDelay": "PT0.2S"}
    delay = seconds(found.get("backoffDelay")) or 0.0
    factors: Sequence[int] = [0] * 10
    if found.get("backoffPolicy") == "linear":
        factors = range(10)
    elif found.get("backoffPolicy") == "exponential":
        factors = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]
    return [delay * factor for factor in factors[: found.get("retry", 0)]]
