"""The keys by which a function says what it asks of a cluster, and what each of them may say by itself.

May not live here: rules between keys (`demands`), and what annotations may say (`annotations`).
Sources, all knative.dev/serving: pkg/apis/autoscaling/{register,annotation_validation}.go for the scale,
pkg/apis/serving/metadata_validation.go (ValidateContainerConcurrency), pkg/apis/serving/v1/revision_validation.go
(validateTimeoutSeconds) and pkg/apis/config/defaults.go (the largest values) for the rest; for labels and resources
k8s.io/apimachinery/pkg/util/validation and k8s.io/kubernetes/pkg/apis/core/validation.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass

from toolkit.contract.units import shown
from toolkit.spec.amounts import Duration, Number, Quantity, Whole
from toolkit.spec.findings import At, Findings, Place
from toolkit.spec.shapes import Choice, Key, Record, Schema, Table, Text
from toolkit.spec.yamltree import Leaf, Node, Pairs

_MOST_PODS = 2**31 - 1
# A hundredth of it, for each pod, is held in 32 bits (kpa.go, computeNumActivators). The webhooks know no bound: with
# 3e11, as with NaN and infinity, the revision is never ready.
_MOST_TARGET = 1_000_000_000
_HOUR = 3600
_MOST_TIMEOUT = 600  # config-defaults max-revision-timeout-seconds
_MOST_CONCURRENCY = 1000  # config-defaults container-concurrency-max-limit
_NO_ZERO = "a stock cluster makes one pod of a new revision to see it start (allow-zero-initial-scale is false)"

# The annotation autoscaling.knative.dev/KEY, and the key of a scale that writes it; the older spellings below.
AUTOSCALING: Mapping[str, str] = {
    "min-scale": "min",
    "max-scale": "max",
    "initial-scale": "initial",
    "activation-scale": "activation",
    "target": "target",
    "target-utilization-percentage": "utilization",
    "metric": "metric",
    "class": "autoscaler",
    "metric-aggregation-algorithm": "algorithm",
    "window": "window",
    "panic-window-percentage": "panic-window",
    "panic-threshold-percentage": "panic-threshold",
    "scale-down-delay": "down-delay",
    "scale-to-zero-pod-retention-period": "retention",
    "target-burst-capacity": "burst",
}


def _camel(key: str) -> str:
    first, *others = key.split("-")
    return first + "".join(each.capitalize() for each in others)


SPELLINGS: Mapping[str, str] = {**AUTOSCALING, **{_camel(key): ours for key, ours in AUTOSCALING.items()}}

SCALE = Record(
    "a scale",
    {
        "min": Key(Whole("pods", 0, _MOST_PODS), "the least pods; 0 lets it scale to zero"),
        "max": Key(Whole("pods", 0, _MOST_PODS), "the most pods; 0 is no limit"),
        "initial": Key(Whole("pods", 1, _MOST_PODS, zero=_NO_ZERO), "the pods of a new revision"),
        "activation": Key(Whole("pods", 2, _MOST_PODS), "the least pods when it leaves zero"),
        "target": Key(
            Number("a target", 0.01, _MOST_TARGET),
            "of the metric, for each pod: requests at once, requests a second, percent of the CPU, or MiB",
        ),
        "utilization": Key(Number("a percentage", 1, 100), "percent of the target to aim at"),
        "metric": Key(
            Choice(("concurrency", "rps", "cpu", "memory")), "what the target counts; cpu and memory are for hpa"
        ),
        "autoscaler": Key(Choice(("kpa", "hpa")), "Knative's own (kpa), or the horizontal pod autoscaler (hpa)"),
        "algorithm": Key(Choice(("linear", "weighted-exponential")), "how a window is averaged"),
        "window": Key(Duration(6, _HOUR, whole=True), "the time that the metric is averaged over, 6s to 1h"),
        "panic-window": Key(Number("a percentage", 1, 100), "the panic window, in percent of the window"),
        "panic-threshold": Key(Number("a percentage", 110, 1000), "percent of the target at which it panics"),
        "down-delay": Key(Duration(0, _HOUR, whole=True), "how long fewer pods must do before one is removed"),
        "retention": Key(Duration(0, _HOUR), "how long the last pod stays"),
        "burst": Key(
            Number("a burst", 0, _MOST_TARGET, besides=-1),
            "requests that must fit beside the present ones, or else the activator stays in the path; 0: leave the "
            "path when a pod is ready, -1: stay in it",
        ),
    },
    {
        **{key: f"in a scale this is `{ours}`" for key, ours in SPELLINGS.items() if key not in AUTOSCALING.values()},
        "replicas": "`replicas` stands beside `scale`; here it is `min` and `max`",
        "concurrency": "`concurrency` stands beside `scale`; here it is `metric: concurrency` and `target`",
    },
)

# The field of `model.Scale` that each key of a scale fills.
FIELDS: Mapping[str, str] = {
    **{key: key for key in SCALE.keys},
    "window": "window_s",
    "panic-window": "panic_window",
    "panic-threshold": "panic_threshold",
    "down-delay": "down_delay_s",
    "retention": "retention_s",
}

_PREFIX = r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*"
_NAME = r"(?=[^/]{1,63}$)[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?"
_LABEL_KEY = rf"(?:(?=[^/]{{1,253}}/){_PREFIX}/)?{_NAME}"
_ANNOTATION = rf"(?:(?=[^/]{{1,253}}/){_PREFIX.replace('a-z', 'A-Za-z')}/)?{_NAME}"  # case does not matter in these
_RESOURCES = ("cpu", "memory", "ephemeral-storage")


def _no_resource(name: str) -> str | None:
    if name in _RESOURCES or "/" in name:
        return None
    close = difflib.get_close_matches(name[:100].lower(), (*_RESOURCES, "requests", "limits"), n=1)
    hint = f" — did you mean '{close[0]}'?" if close else f"; there is {', '.join(_RESOURCES)} and example.com/gpu"
    return f"no resource named {shown(name)}{hint}"


_QUANTITIES = Table(
    Text(
        "a resource",
        rf"{'|'.join(_RESOURCES)}|(?=[^/]{{1,253}}/){_PREFIX}/{_NAME}",
        317,
        _no_resource,
        "example.com/gpu",
    ),
    Quantity(),
    "resources",
)


@dataclass(frozen=True)
class Apart:
    """Requests and limits apart, or one table for both; reads as the record with `requests` and `limits`."""

    record: Record
    both: Table

    def read(self, node: Node, place: Place, found: Findings) -> dict[str, At] | None:
        names = {key.text for key, _ in node.items if isinstance(key, Leaf)} if isinstance(node, Pairs) else set()
        if names & set(self.record.keys):
            return self.record.read(node, place, found)
        rows = self.both.read(node, place, found)
        return None if rows is None else {name: At(rows, place) for name in self.record.keys}

    def schema(self) -> Schema:
        return {"anyOf": [self.both.schema(), self.record.schema()]}


RESOURCES = Record(
    "a function's resources",
    {
        "requests": Key(_QUANTITIES, "what is set aside for each pod"),
        "limits": Key(_QUANTITIES, "the most each pod gets"),
    },
    {name: f"`{name}` stands beside requests and limits; write it into them" for name in _RESOURCES},
)

KEYS: Mapping[str, Key] = {
    "scale": Key(SCALE, "how many pods a cluster makes of it, and when"),
    "concurrency": Key(
        Whole("messages", 0, _MOST_CONCURRENCY), "messages that a pod handles at once, at most; 0 is any number"
    ),
    "timeout": Key(
        Duration(0, _MOST_TIMEOUT, whole=True), "how long a message may take, 0s to 10m; 0s is the cluster's default"
    ),
    "response-start-timeout": Key(Duration(0, _MOST_PODS, whole=True), "how long until its answer begins"),
    "idle-timeout": Key(Duration(0, _MOST_PODS, whole=True), "how long an answer may pause; 0s is for ever"),
    "resources": Key(
        Apart(RESOURCES, _QUANTITIES), "CPUs and memory: `{cpu: 250m, memory: 512Mi}`, or `requests` and `limits`"
    ),
    "visibility": Key(
        Choice(("cluster", "public")), "who reaches it: the cluster alone, or everybody; the entry is public"
    ),
    "node-selector": Key(
        Table(
            Text("a label's name", _LABEL_KEY, 317, example="kubernetes.io/arch"),
            Text("a label's value", r"(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?)?", 63, example="amd64"),
            "labels of nodes",
        ),
        "labels of the nodes that it runs on",
    ),
    "annotations": Key(
        Table(
            Text("an annotation's name", _ANNOTATION, 317, example="example.com/owner"),
            Text("a text", longest=1 << 18),
            "annotations",
        ),
        "annotations of its Service or its revisions, each where Knative reads it",
    ),
}
REFUSED: Mapping[str, str] = {
    "containerConcurrency": "the key is `concurrency`",
    "container-concurrency": "the key is `concurrency`",
    "timeoutSeconds": "the key is `timeout`, with a unit: 60s",
    "nodeSelector": "the key is `node-selector`",
    "autoscaling": "the key is `scale`",
    **{key: f"this is `{ours}` in `scale`" for key, ours in SPELLINGS.items()},
    **{ours: f"`{ours}` stands in `scale`" for ours in AUTOSCALING.values()},
    **{name: f"`{name}` stands in `resources`" for name in (*_RESOURCES, "requests", "limits")},
}
