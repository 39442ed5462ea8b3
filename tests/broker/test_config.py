"""The broker's configuration: what is taken, and what is refused with a word on where."""

from __future__ import annotations

import json
from typing import Any

import pytest

from toolkit.engines.local.broker import BrokerConfig, ConfigError, DeliveryConfig, ServiceConfig, TriggerConfig, serve
from toolkit.engines.local.broker import config as broker_config
from toolkit.engines.local.broker.policy import effective

FULL = ServiceConfig(
    (
        BrokerConfig(
            "ns",
            "b",
            (
                TriggerConfig(
                    "t",
                    ("http://x/", "http://y/"),
                    ({"exact": {"type": "t"}}, {"attributes": {"type": ""}}),
                    DeliveryConfig(3, "linear", 0.5, 2.0, "http://z/", "json"),
                ),
                TriggerConfig("u", ("http://x/",)),
            ),
            "async",
            DeliveryConfig(),
        ),
        BrokerConfig("ns", "c"),
    ),
    "127.0.0.1",
    8080,
)


def test_a_configuration_survives_its_text_form() -> None:
    assert broker_config.decode(broker_config.encode(FULL)) == FULL
    assert "\n" not in broker_config.encode(FULL)


def broken(**changes: Any) -> str:
    fields: dict[str, Any] = json.loads(broker_config.encode(FULL))
    trigger, broker = fields["brokers"][0]["triggers"][0], fields["brokers"][0]
    for path, value in changes.items():
        target: dict[str, Any] = {"s": fields, "b": broker, "t": trigger, "d": trigger["delivery"]}[path[0]]
        target[path[2:]] = value
    return json.dumps(fields)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not a broker configuration"),
        ("{", "not a broker configuration"),
        ("[]", "not a broker configuration"),
        ("{}", "brokers"),
        ('{"brokers": 5}', "not a broker configuration"),
        ("[" * 100_000, "not a broker configuration"),
        (broken(s_unknown=1), "unknown"),
        (broken(b_unknown=1), "unknown"),
        (broken(b_name="a/b"), "without '/'"),
        (broken(b_namespace=""), "without '/'"),
        (broken(b_name=5), "without '/'"),
        (broken(b_acknowledge="later"), "acknowledge is 'later'; it must be one of sync, async"),
        (broken(t_subscribers=[]), "no subscriber"),
        (broken(t_subscribers=["x"]), "not an absolute"),
        (broken(t_subscribers=[5]), "not an absolute"),
        (broken(d_retry=-1), "retry is -1"),
        (broken(d_retry=1.5), "retry is 1.5"),
        (broken(d_retry=True), "retry is True"),
        (broken(d_backoffPolicy="random"), "linear, exponential"),
        (broken(d_backoffDelay_s="PT1S"), "number of seconds"),
        (broken(d_timeout_s=-1), "number of seconds"),
        (broken(d_dead_letter="ftp://x"), "not an absolute"),
        (broken(d_format="xml"), "json, binary"),
    ],
)
def test_a_bad_configuration_says_what_is_wrong(text: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        broker_config.decode(text)


async def test_a_bad_filter_keeps_the_broker_from_starting() -> None:
    trigger = TriggerConfig("t", ("http://127.0.0.1:1/",), ({"exakt": {"a": "b"}},))
    with pytest.raises(ConfigError, match="exakt"):
        await serve([BrokerConfig("ns", "b", (trigger,))])


OUTER = DeliveryConfig(2, "linear", 0.05, 1.0, "http://outer/", "json")


@pytest.mark.parametrize(
    ("own", "wanted"),
    [
        (None, DeliveryConfig(2, "linear", 0.05, 1.0, "http://outer/")),
        (DeliveryConfig(), DeliveryConfig(dead_letter="http://outer/")),
        (DeliveryConfig(retry=1), DeliveryConfig(retry=1, dead_letter="http://outer/")),
        (DeliveryConfig(dead_letter="http://own/"), DeliveryConfig(dead_letter="http://own/")),
        (DeliveryConfig(format="json"), DeliveryConfig(dead_letter="http://outer/", format="json")),
    ],
)
def test_a_triggers_delivery_replaces_the_brokers_but_for_the_sink(
    own: DeliveryConfig | None, wanted: DeliveryConfig
) -> None:
    broker = BrokerConfig("ns", "b", delivery=OUTER)
    assert effective(broker, TriggerConfig("t", ("http://x/",), (), own)) == wanted
