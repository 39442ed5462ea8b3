"""An API server in miniature: answers what it was given, keeps what it was asked. For tests of the suite itself."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import yaml

RESOURCES = {
    "/api/v1": {"Pod": "pods", "Namespace": "namespaces", "Event": "events"},
    "/apis/apps/v1": {"Deployment": "deployments"},
    "/apis/serving.knative.dev/v1": {"Service": "services"},
}


@dataclass
class FakeApi:
    """`answers` by method and path; of several for one the first is given first, and the last one again and again."""

    answers: dict[str, list[tuple[int, Any]]] = field(default_factory=dict)
    warnings: Sequence[str] = ()
    asked: list[tuple[str, str, Mapping[str, str], str]] = field(default_factory=list)  # with query and body

    def give(self, request: str, *answers: Any, code: int = 200) -> None:
        """`request` is `METHOD PATH`, with ` watch` behind for a stream; text is sent as it is, a list as a stream."""
        self.answers.setdefault(request, []).extend((code, each) for each in answers)

    def answer(self, method: str, path: str, query: Mapping[str, str]) -> tuple[int, Any]:
        if path == "/version":
            return 200, {"gitVersion": "v1.0.0"}
        if path in RESOURCES:
            return 200, {"resources": [{"kind": kind, "name": name} for kind, name in RESOURCES[path].items()]}
        waiting = self.answers.get(f"{method} {path}" + (" watch" if "watch" in query else ""))
        if not waiting:
            return 404, {"kind": "Status", "message": f"the fake has no {method} {path}"}
        return waiting.pop(0) if len(waiting) > 1 else waiting[0]

    @contextlib.contextmanager
    def serving(self, folder: Path) -> Iterator[Path]:
        """The path of a kubeconfig that leads here."""
        with ThreadingHTTPServer(("127.0.0.1", 0), _handler(self)) as server:
            threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
            kubeconfig = folder / "kubeconfig"
            kubeconfig.write_text(yaml.safe_dump(_kubeconfig(server.server_address[1])))
            yield kubeconfig
            server.shutdown()


def _handler(api: FakeApi) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _any(self) -> None:
            url = urlsplit(self.path)
            query = dict(parse_qsl(url.query))
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            api.asked.append((self.command, url.path, {**query, "type": self.headers.get("Content-Type", "")}, body))
            code, found = api.answer(self.command, url.path, query)
            text = found if isinstance(found, str) else _encoded(found)
            self.send_response(code)
            for each in api.warnings:
                self.send_header("Warning", f'299 - "{each}"')
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _any  # noqa: N815 - the library's names

        def log_message(self, *_: object) -> None: ...

    return Handler


def _encoded(found: Any) -> str:
    """A list is a stream: one object a line."""
    if isinstance(found, list):
        return "".join(json.dumps(each) + "\n" for each in found)
    return json.dumps(found)


def _kubeconfig(port: int) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "fake", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "users": [{"name": "fake", "user": {"token": "none"}}],
        "contexts": [{"name": "fake", "context": {"cluster": "fake", "user": "fake"}}],
        "current-context": "fake",
    }
