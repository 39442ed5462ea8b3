"""A Zipkin, and a collector that turns Knative's OTLP into what Zipkin reads, for a cluster that has neither.

May live here: which objects, and their addresses. May not: how Knative is told of them (its own ConfigMaps).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from toolkit.manifests import templates
from toolkit.manifests.names import CLUSTER_DOMAIN, MANAGED_BY, OWNER
from toolkit.manifests.templates import Manifest

NAMESPACE = "kn-bench-tracing"  # where `toolkit tracing setup` puts them
NAMES = ("zipkin", "otel-collector")  # of Services too, so no function beside them can be called so
ZIPKIN_ENVIRONMENT = {
    "STORAGE_TYPE": "mem",
    "MEM_MAX_SPANS": "500000",
    # 4.3 kB of heap a span; those of platform and functions take 3.1 kB. The image's own setting is 160 MB in all.
    "JAVA_OPTS": "-Xms256m -Xmx2g -XX:+ExitOnOutOfMemoryError -Djava.io.tmpdir=/tmp",
}
ZIPKIN_MEMORY = "2560Mi"  # the heap, and what Java needs beside it
_PLACES = ("tracing",)


@dataclass(frozen=True, slots=True)
class Images:
    """Zipkin's is the one with the storage in memory; the collector's must have the exporter `zipkin`."""

    zipkin: str = "docker.io/openzipkin/zipkin-slim:3.6.1"
    collector: str = "docker.io/otel/opentelemetry-collector-contrib:0.165.0"


def tracing(
    namespace: str,
    labels: Mapping[str, str] | None = None,
    images: Images | None = None,
    *,
    zipkin: str | None = None,
    collector: bool = True,
    cluster_domain: str = CLUSTER_DOMAIN,
) -> tuple[Manifest, ...]:
    """The objects in the order in which they are to be applied; they need no rights in the cluster.

    With `zipkin`, the address that a Zipkin takes spans at, there is a collector only, which sends there.
    """
    labels, images = labels or {MANAGED_BY: OWNER}, images or Images()
    own = () if zipkin else tuple(_zipkin(namespace, labels, images))
    spans = zipkin or zipkin_endpoint(namespace, cluster_domain)
    return (*own, *_collector(namespace, labels, images, spans)) if collector else own


def tracing_namespace(namespace: str, labels: Mapping[str, str]) -> Manifest:
    """Where they go, when it has to be made."""
    return templates.render("namespace", _PLACES, {"namespace": namespace, "labels": labels})


def zipkin_endpoint(namespace: str, cluster_domain: str = CLUSTER_DOMAIN) -> str:
    """Where functions, and the collector, send spans: Zipkin's `POST`."""
    return f"http://zipkin.{namespace}.svc.{cluster_domain}:9411/api/v2/spans"


def otlp_endpoint(namespace: str, cluster_domain: str = CLUSTER_DOMAIN) -> str:
    """Where Knative sends spans: `tracing-endpoint`, with the `tracing-protocol` http/protobuf."""
    return f"http://otel-collector.{namespace}.svc.{cluster_domain}:4318/v1/traces"


def _zipkin(namespace: str, labels: Mapping[str, str], images: Images) -> Iterator[Manifest]:
    common = {"namespace": namespace, "labels": labels}
    own = {"image": images.zipkin, "environment": ZIPKIN_ENVIRONMENT, "memory": ZIPKIN_MEMORY}
    yield templates.render("zipkin-deployment", _PLACES, {**common, **own})
    yield templates.render("zipkin-service", _PLACES, common)


def _collector(namespace: str, labels: Mapping[str, str], images: Images, zipkin: str) -> Iterator[Manifest]:
    common = {"namespace": namespace, "labels": labels, "zipkin": zipkin}
    yield templates.render("collector-config", _PLACES, common)
    yield templates.render("collector-deployment", _PLACES, {**common, "image": images.collector})
    yield templates.render("collector-service", _PLACES, common)
