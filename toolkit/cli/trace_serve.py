"""`toolkit trace serve`: a trace store of one's own, until Ctrl-C."""

from __future__ import annotations

import argparse
import asyncio
import re
from pathlib import Path

from toolkit.cli.output import note, say
from toolkit.errors import EngineError, Exit

LISTEN = "127.0.0.1:9411"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--listen", type=_place, default=LISTEN, metavar="HOST:PORT", help=f"default {LISTEN}")
    parser.add_argument("--store", type=Path, metavar="FILE", help="keep spans in this file, and start with it")
    parser.add_argument("--max-spans", type=_positive, metavar="N", help="forget the oldest traces beyond (500,000)")
    parser.add_argument("--max-bytes", type=_positive, metavar="N", help="the same, of spans' text (512 MiB)")
    parser.add_argument("--max-age", type=_age, metavar="AGE", help="forget traces that came so long ago: 90m, 12h, 7d")
    parser.add_argument(
        "--autocomplete-keys", default="", metavar="TAG,TAG", help="tags whose values a UI can ask for, as Zipkin's"
    )
    parser.add_argument(
        "--lens",
        type=Path,
        metavar="JAR",
        help="show Zipkin's own pages, out of the jar of zipkin-lens or a zipkin-server",
    )
    parser.add_argument(
        "--allow-origin",
        type=_origin,
        action="append",
        default=[],
        metavar="ORIGIN",
        help="let a page of this origin, such as http://localhost:3000, use the store (repeatable; default: none may)",
    )
    parser.add_argument(
        "--allow-host",
        type=_name,
        action="append",
        default=[],
        metavar="NAME",
        help="answer when asked by this name, such as traces.example.com (repeatable; addresses, this machine's names "
        "and names that nobody can buy are always answered)",
    )


def _name(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*", lowered := text.lower()):
        raise argparse.ArgumentTypeError(f"{text[:100]!r} is no host name, such as traces.example.com")
    return lowered


def _origin(text: str) -> str:
    from toolkit.engines.tracestore import origins

    try:
        return origins.origin(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _positive(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 16 and int(text)):
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not a number above 0")
    return int(text)


def _age(text: str) -> float:
    from toolkit.engines.tracestore.forgetting import age

    try:
        return age(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _place(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT, for example {LISTEN}")
    return host.strip("[]"), int(port)


def execute(options: argparse.Namespace) -> int:
    from toolkit.cli.running import interruptible

    interruptible(lambda stop: _keep_serving(options, stop))
    return Exit.OK


async def _keep_serving(options: argparse.Namespace, stop: asyncio.Event) -> None:
    from toolkit.engines import tracestore
    from toolkit.engines.tracestore import forgetting, lens

    host, port = options.listen
    pages = lens.read(options.lens) if options.lens else lens.absent
    tracestore.own_process()
    try:
        store = await tracestore.serve(
            host,
            port,
            options.store,
            max_spans=options.max_spans or forgetting.MAX_SPANS,
            max_bytes=options.max_bytes or forgetting.MAX_BYTES,
            max_age=options.max_age,
            autocomplete_keys=tuple(filter(None, options.autocomplete_keys.split(","))),
            on_warning=lambda text: note(f"warning: {text}"),
            pages=pages,
            allow_origins=options.allow_origin,
            allow_hosts=options.allow_host,
        )
    except OSError as error:
        raise EngineError(
            f"cannot listen on {host}:{port}: {error.strerror or error}", next_step="choose another port with --listen"
        ) from error
    say(f"spans are taken at {store.url}/api/v2/spans")
    note(f"and, as OTLP over HTTP, at {store.url}/v1/traces")
    if options.lens:
        note(f"Zipkin's own pages are at {store.url}/zipkin/")
    note("Ctrl-C ends it")
    try:
        await stop.wait()
    finally:
        await store.close()
