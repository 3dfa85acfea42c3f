"""A stand-in for the internal provisioning service: real HTTP, real idempotency, and failures on demand.

It keeps grants in memory, remembers the answer to every idempotency key, and refuses a key that comes back
with another body, as the real service would. `misbehave` tells it what to do to the next calls:

    fail       answer 503 and do nothing
    refuse     answer 422 and do nothing
    slow       do it, but answer only after `delay` seconds (the caller has long hung up)
    drop       do it, then close the connection without an answer
    busy       answer 429 with Retry-After and do nothing
    garbled    do it, but answer with something that is no JSON
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MISDEEDS = frozenset({"fail", "refuse", "slow", "drop", "busy", "garbled"})
PREFIX = "/v1/entitlements/"


class StandIn:
    """What the service knows. `applied` counts by idempotency key how often something was really done."""

    def __init__(self, delay: float = 2.0) -> None:
        self.lock = threading.Lock()
        self.delay = delay
        self.grants: dict[str, dict[str, Any]] = {}
        self.answers: dict[str, tuple[str, dict[str, Any]]] = {}
        self.applied: dict[str, int] = {}
        self.calls: list[str] = []
        self.planned: deque[str] = deque()

    def misbehave(self, *misdeeds: str) -> None:
        """Do these to the next calls, one each."""
        if unknown := set(misdeeds) - MISDEEDS:
            raise ValueError(f"The stand-in does not know {', '.join(sorted(unknown))}")
        with self.lock:
            self.planned.extend(misdeeds)

    def next_misdeed(self) -> str:
        with self.lock:
            return self.planned.popleft() if self.planned else ""

    def put(self, reference: str, key: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Grant or revoke; the same key gets the same answer and does nothing again."""
        fingerprint = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
        with self.lock:
            self.calls.append(key)
            if not key:
                return 400, {"error": "Idempotency-Key is missing"}
            if key in self.answers:
                known, answer = self.answers[key]
                if known != fingerprint:
                    return 422, {"error": "This Idempotency-Key came with another body before"}
                return 200, {**answer, "replayed": True}
            known_revision = self.grants.get(reference, {}).get("revision", 0)
            if body.get("revision", 0) <= known_revision:
                return 409, {"error": f"Revision {known_revision} is known already"}
            state = "revoked" if body.get("action") == "revoke" else "granted"
            identity = f"ent_{hashlib.sha256(reference.encode()).hexdigest()[:12]}"
            grant = {**body, "id": identity, "state": state}
            self.grants[reference] = grant
            self.applied[key] = self.applied.get(key, 0) + 1
            answer = {"id": grant["id"], "state": state}
            self.answers[key] = (fingerprint, answer)
            return 200, answer


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_PUT(self) -> None:
        body = self._body()
        misdeed = self.server.standin.next_misdeed()
        if not self.path.startswith(PREFIX) or not isinstance(body, dict):
            self._answer(404, {"error": "not found"})
        elif misdeed == "fail":
            self._answer(503, {"error": "try later"})
        elif misdeed == "refuse":
            self._answer(422, {"error": "unknown SKU"})
        elif misdeed == "busy":
            self._answer(429, {"error": "too many calls"}, {"Retry-After": "30"})
        else:
            self._do(body, misdeed)

    def do_GET(self) -> None:
        """/v1/entitlements: what is granted. /healthz: that it runs."""
        standin = self.server.standin
        if self.path == "/healthz":
            self._answer(200, {"ok": True})
        elif self.path == PREFIX.rstrip("/"):
            with standin.lock:
                self._answer(200, {"data": list(standin.grants.values())})
        else:
            self._answer(404, {"error": "not found"})

    def do_POST(self) -> None:
        """/control {"misbehave": ["fail", …]}: for demonstrations and trials."""
        body = self._body()
        if self.path != "/control" or not isinstance(body, dict):
            self._answer(404, {"error": "not found"})
            return
        try:
            self.server.standin.misbehave(*body.get("misbehave", []))
        except ValueError as error:
            self._answer(422, {"error": str(error)})
            return
        self._answer(200, {"ok": True})

    def _do(self, body: dict[str, Any], misdeed: str) -> None:
        reference = self.path.removeprefix(PREFIX)
        status, answer = self.server.standin.put(reference, self.headers.get("Idempotency-Key", ""), body)
        if misdeed == "slow":
            time.sleep(self.server.standin.delay)
        if misdeed == "drop":
            self.close_connection = True
            return
        if misdeed == "garbled":
            self._send(200, b"<html>all good</html>", "text/html", {})
            return
        self._answer(status, answer)

    def _body(self) -> Any:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            return json.loads(raw or b"null")
        except ValueError:
            return None

    def _answer(self, status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        self._send(status, json.dumps(body).encode(), "application/json", headers or {})

    def _send(self, status: int, body: bytes, kind: str, headers: dict[str, str]) -> None:
        try:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)
        except OSError:  # the caller has hung up, as a slow answer is meant to provoke
            self.close_connection = True

    def log_message(self, *args: Any) -> None:
        """Silent: a demonstration makes thousands of calls."""


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], standin: StandIn) -> None:
        super().__init__(address, Handler)
        self.standin = standin


@contextmanager
def running(
    standin: StandIn | None = None, *, host: str = "127.0.0.1", port: int = 0
) -> Iterator[tuple[StandIn, str]]:
    """The stand-in on a real socket, in a thread: yields it and its base URL. Port 0 takes a free one."""
    standin = standin or StandIn()
    server = Server((host, port), standin)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield standin, f"http://{host}:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
