"""gRPC calls from outside: to Kourier, with the authority of a Service."""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from tests.cluster.suite.cluster import Object
from tests.cluster.suite.ingress import authority
from toolkit.contract import Metadata
from toolkit.load.greeting import rfc3339
from toolkit.stubs.helloworld_pb2 import HelloReply, HelloRequest
from toolkit.stubs.helloworld_pb2_grpc import GreeterStub
from toolkit.stubs.prodcon_pb2 import ConsumeByteReply, ConsumeByteRequest
from toolkit.stubs.prodcon_pb2_grpc import ProducerConsumerStub

ANSWER_WITHIN_S = 30.0


@dataclass(frozen=True, slots=True)
class Door:
    """Kourier as it is reached from here."""

    address: str

    @contextlib.contextmanager
    def to(self, service: Object) -> Iterator[grpc.Channel]:
        """A channel to a Knative Service, found by the host of its `status.url`."""
        options = [("grpc.default_authority", authority(service["status"]["url"])), ("grpc.enable_retries", 0)]
        with grpc.insecure_channel(self.address, options=options) as channel:
            yield channel


def new_call() -> str:
    return secrets.token_hex(16)


def greet(channel: grpc.Channel, call: str, name: str = "suite") -> HelloReply:
    """Into the entry of a chain, as `call`."""
    metadata = Metadata("suite", call, rfc3339(time.time_ns())).encode()
    return GreeterStub(channel).SayHello(HelloRequest(name=name, vHiveMetadata=metadata), timeout=ANSWER_WITHIN_S)


def consume(channel: grpc.Channel, value: bytes) -> ConsumeByteReply:
    """Straight to the last function of chained-serving."""
    return ProducerConsumerStub(channel).ConsumeByte(ConsumeByteRequest(value=value), timeout=ANSWER_WITHIN_S)


def health(channel: grpc.Channel, service: str = "") -> str:
    """The name of the status that `grpc.health.v1` tells."""
    request = health_pb2.HealthCheckRequest(service=service)
    found = health_pb2_grpc.HealthStub(channel).Check(request, timeout=ANSWER_WITHIN_S)
    return str(health_pb2.HealthCheckResponse.ServingStatus.Name(found.status))


def services(channel: grpc.Channel) -> set[str]:
    """What server reflection lists."""
    asked = iter([reflection_pb2.ServerReflectionRequest(list_services="")])
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    (answer,) = stub.ServerReflectionInfo(asked, timeout=ANSWER_WITHIN_S)
    return {each.name for each in answer.list_services_response.service}
