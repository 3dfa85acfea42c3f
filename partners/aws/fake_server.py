"""The fake metering service on a loopback socket, speaking the AWS JSON 1.1 protocol.

boto3 reaches it through `endpoint_url`; `/_fake/...` are the stand-in's own controls: the clock, faults,
products and buyers, and the usage it holds. Started by `manage.py fake_aws` and by the tests.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from o2c import clock
from partners.aws.fake import Buyer, FakeMetering, ServiceError
from partners.domain.window import Window

TARGET = "AWSMPMeteringService."


class FakeClock:
    """Real time until a walk sets another; then it stands still until it is set again."""

    def __init__(self) -> None:
        self.fixed: datetime | None = None

    def __call__(self) -> datetime:
        return self.fixed or clock.now()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 65_536
    server: "FakeServer"

    def do_POST(self) -> None:
        size = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(size)
        try:
            request = json.loads(body or b"{}")
            if self.path.startswith("/_fake/"):
                return self._answer(200, self.server.control(urlsplit(self.path).path[7:], request))
            answer = self.server.call(self.headers.get("X-Amz-Target", ""), request, size)
        except ServiceError as error:
            return self._answer(error.status, {"__type": error.code, "message": error.message}, error.code)
        except (KeyError, ValueError, TypeError) as error:
            return self._answer(
                400, {"__type": "SerializationException", "message": repr(error)}, "SerializationException"
            )
        if self.server.metering.faults.take("lose_response"):
            # The request was processed and the caller never hears of it: the crash between send and record.
            self.close_connection = True
            return None
        return self._answer(200, answer)

    def do_GET(self) -> None:
        self._answer(200, self.server.control(urlsplit(self.path).path.removeprefix("/_fake/"), {}))

    def _answer(self, status: int, payload: Any, error_type: str = "") -> None:
        body = json.dumps(payload).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(body)))
        if error_type:
            self.send_header("x-amzn-ErrorType", error_type)
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet: the caller sees every answer."""


class FakeServer(ThreadingHTTPServer):
    """The service and its controls on one port. Port 0 takes any free one."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, port: int = 0, *, journal: Path | None = None, accepts_hours: int = 24) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.clock = FakeClock()
        window = Window(accepts_for=timedelta(hours=accepts_hours))
        self.metering = FakeMetering(now=self.clock, window=window, journal=journal)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def call(self, target: str, request: dict[str, Any], size: int) -> dict[str, Any]:
        """One API operation by its X-Amz-Target."""
        operation = target.removeprefix(TARGET)
        if operation == "BatchMeterUsage":
            return self.metering.batch_meter_usage(request, size)
        if operation == "ResolveCustomer":
            return self.metering.resolve_customer(request)
        raise ServiceError("UnknownOperationException", f"The stand-in does not know {target!r}.")

    def control(self, name: str, request: dict[str, Any]) -> Any:
        """The stand-in's own controls, never part of AWS."""
        metering = self.metering
        with metering.memory.exclusive():
            if name == "clock":
                self.clock.fixed = datetime.fromisoformat(request["now"]) if request.get("now") else None
            elif name == "faults":
                metering.faults = replace(metering.faults, **request)
            elif name == "product":
                metering.add_product(request["code"], set(request["dimensions"]))
            elif name == "subscribe":
                return {"token": metering.subscribe(Buyer(**request))}
            elif name == "usage":
                return metering.held
            elif name == "requests":
                return metering.requests
            elif name != "health":
                raise ServiceError("UnknownOperationException", f"The stand-in has no control {name!r}.", 404)
            return {"ok": True}


@contextmanager
def running(port: int = 0, *, journal: Path | None = None, accepts_hours: int = 24) -> Iterator[FakeServer]:
    """The service on a thread of this process, for as long as the context lasts."""
    server = FakeServer(port, journal=journal, accepts_hours=accepts_hours)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)
