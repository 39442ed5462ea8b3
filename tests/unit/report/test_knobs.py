"""What functions ask of a cluster, as `toolkit describe` prints it."""

from __future__ import annotations

from toolkit.report import knobs
from toolkit.spec import parse

CHAIN = """
name: tuned
functions:
  shop:
    handler: "handlers.py:take"
    scale: {min: 0, max: 10, target: 0.5, window: 90s, burst: -1, autoscaler: kpa}
    concurrency: 0
    timeout: 400s
    resources: {requests: {cpu: 250m}, limits: {cpu: "1", memory: 512Mi}}
    node-selector: {kubernetes.io/arch: amd64, gpu: ""}
  store:
    handler: "handlers.py:put"
    replicas: 3
    resources: {memory: 1Gi}
    visibility: public
    annotations: {example.com/note: "two\\nlines", serving.knative.dev/rollout-duration: 60s}
  plain: {handler: "handlers.py:run"}
edges:
  - {from: shop, to: store, via: call}
  - {from: shop, to: plain, via: call}
"""


def told(text: str) -> str:
    return knobs.text(parse(text.encode(), origin="chain.yaml", folder="."))


def test_the_knobs_stand_in_columns_and_then_what_is_to_be_known() -> None:
    assert told(CHAIN) == (
        "\non a cluster\n"
        "  shop   scale          min 0, max 10, target 0.5, autoscaler kpa, window 90s, burst -1\n"
        "         concurrency    0\n"
        "         timeout        400s\n"
        "         resources      requests cpu 250m; limits cpu 1, memory 512Mi\n"
        "         node-selector  kubernetes.io/arch=amd64, gpu=\n"
        "  store  scale          min 3, max 3\n"
        "         resources      memory 1Gi\n"
        "         visibility     public\n"
        "         annotations    serving.knative.dev/rollout-duration: 60s, example.com/note: 'two\\nlines'\n"
        "\nto know\n"
        "  shop.timeout: its answer must still begin within 5m; write `response-start-timeout` for more\n"
        "  shop.node-selector: stock Knative refuses it until config-features says kubernetes.podspec-nodeselector\n"
    )


def test_a_chain_that_asks_for_nothing_says_nothing() -> None:
    assert told("name: a\nfunctions: {f: {handler: 'm:f'}}\n") == ""
