"""The same load by grpc.aio, as one would write it: `python -m tests.perf.aio_load PORT CONNECTIONS IN-FLIGHT SECONDS
MESSAGE-BYTES` prints what came of it as a line of JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

import grpc

from toolkit.stubs.helloworld_pb2 import HelloReply, HelloRequest
from toolkit.stubs.helloworld_pb2_grpc import GreeterStub


async def load(port: int, connections: int, in_flight: int, seconds: int, size: int) -> dict[str, float]:
    alone = [("grpc.use_local_subchannel_pool", 1)]  # otherwise all channels share a connection
    channels = [grpc.aio.insecure_channel(f"127.0.0.1:{port}", alone) for _ in range(connections)]
    stubs = [GreeterStub(each) for each in channels]
    request, kept = HelloRequest(name="x" * size), list[tuple[float, float]]()
    for stub in stubs:
        await stub.SayHello(request, wait_for_ready=True)
    begun, used = time.perf_counter(), time.process_time()

    async def worker(number: int) -> None:
        stub, now = stubs[number % connections], begun
        while now < begun + seconds:
            reply: HelloReply = await stub.SayHello(request, timeout=20)
            assert len(reply.message) == size
            sent, now = now, time.perf_counter()
            kept.append((sent, now))

    await asyncio.gather(*map(worker, range(in_flight)))
    took, used = time.perf_counter() - begun, time.process_time() - used
    for channel in channels:
        await channel.close()
    return {"ok": len(kept), "failed": 0, "seconds": took, "cpu_s": used}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(load(*map(int, sys.argv[1:])))))
