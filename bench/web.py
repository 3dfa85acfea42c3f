"""A web server for a measurement: granian with two workers on a scratch database, and a client for it."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

WORKERS = 2
CLIENTS = 4


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def served(application: str, database: str, settings: str) -> Iterator[int]:
    """Serve a WSGI application as in production, on a free port; it is ended at the end."""
    port = _free_port()
    with tempfile.TemporaryDirectory() as metrics:
        environment = os.environ | {
            "DJANGO_SETTINGS_MODULE": settings,
            "O2C_DATABASE": database,
            "O2C_DB_ROLE": "app",
            "O2C_DB_POOL_SIZE": "4",
            "PROMETHEUS_MULTIPROC_DIR": metrics,
        }
        command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1"]
        command += ["--port", str(port), "--workers", str(WORKERS), "--blocking-threads", "2", "--no-ws"]
        with (Path(metrics) / "log").open("wb") as log:
            server = subprocess.Popen(
                [*command, "--log-level", "warning", application], env=environment, stdout=log, stderr=log
            )
            try:
                _wait(port, server)
                yield port
            finally:
                server.terminate()
                server.wait(20)


def _wait(port: int, server: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until and server.poll() is None:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            connection.request("GET", "/")
            connection.getresponse().read()
            return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("The web server did not come up")


def post_all(port: int, path: str, bodies: list[bytes], headers: Mapping[str, str]) -> float:
    """Seconds to post every body, over CLIENTS connections that stay open. Raises for an answer but 200."""

    def send(own: list[bytes]) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        for body in own:
            connection.request("POST", path, body, {"Content-Type": "application/json", **headers})
            response = connection.getresponse()
            answer = response.read()
            if response.status != 200:
                raise RuntimeError(f"{response.status}: {answer[:500]!r}")
        connection.close()

    started = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(send, [bodies[n::CLIENTS] for n in range(CLIENTS)]))
    return time.perf_counter() - started
