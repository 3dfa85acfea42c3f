"""Start, stop and look at everything that runs for this checkout."""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass

from o2c.runtime import embedded, home, processes, standins, supervisor

START_SECONDS = 90
SERVICES = ("web", "worker", "beat", *(standin.name for standin in standins.STANDINS))


class StartError(RuntimeError):
    """Something did not come up; the message carries the end of its log."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the status: what, in which state, since or where."""

    name: str
    state: str
    detail: str = ""


def start() -> str:
    """Have everything running; returns the address of the console. Raises StartError or EmbeddedError."""
    if embedded.used():
        embedded.ensure()
    with home.lock("control"):
        running = processes.recorded(supervisor.record_file("supervisor"))
        if running is None:
            # They would answer for a moment more, and be taken for the new ones.
            supervisor.end_leftovers(SERVICES)
            port = _choose_port()
            home.write_json(home.home() / "web.json", {"port": port})
            _spawn(port)
        else:
            port = int(home.read_json(supervisor.record_file("supervisor"))["port"])
        _wait_until_served(port)
    return address(port)


def address(port: int) -> str:
    return f"http://localhost:{port}/"


def web_port() -> int | None:
    """The port that web was last given in this checkout."""
    port = home.read_json(home.home() / "web.json").get("port")
    return int(port) if port else None


def _choose_port() -> int:
    """The wanted port, or the one of last time; another only if somebody else has it."""
    return embedded.free_port(int(os.environ.get("O2C_PORT") or web_port() or 8000))


def _spawn(port: int) -> None:
    environment = {**os.environ}
    environment.setdefault("O2C_PUBLIC_URL", address(port).rstrip("/"))
    environment.pop("O2C_DB_ROLE", None)
    # Make's job server is not for processes that outlive it.
    for name in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL"):
        environment.pop(name, None)
    with supervisor.open_log("supervisor") as output:
        subprocess.Popen(
            [sys.executable, "-m", "o2c.runtime.supervisor", str(port)],
            cwd=home.PROJECT, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            start_new_session=True, close_fds=True,
        )  # fmt: skip


def _wait_until_served(port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not served(port):
        if time.monotonic() > deadline:
            words = "\n".join(
                f"--- {path}\n{embedded.tail(path)}"
                for path in map(supervisor.log_file, ("supervisor", "web"))
            )
            raise StartError(f"The web server does not answer on port {port}:\n{words}")
        time.sleep(0.15)


def served(port: int) -> bool:
    """The product, not merely somebody, answers on this port."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=3)
    with suppress(OSError, http.client.HTTPException):
        connection.request("GET", "/health/live")
        return connection.getresponse().read(100).startswith(b"o2c alive")
    return False


def stop() -> list[str]:
    """End what `start` started, and only that; says what was done."""
    done: list[str] = []
    with home.lock("control"):
        # The supervisor first: it ends its children in order, and would start again what we end.
        for name in ("supervisor", *SERVICES):
            identity = processes.recorded(supervisor.record_file(name))
            if identity is not None:
                grace = supervisor.GRACE_SECONDS + 10
                done.append(f"{name}: {processes.end(identity, grace_seconds=grace)}")
            supervisor.record_file(name).unlink(missing_ok=True)
    if embedded.used():
        done.append(f"database: {embedded.stop()}")
    return done


def status() -> list[Line]:
    lines = []
    for name in ("supervisor", *SERVICES):
        identity = processes.recorded(supervisor.record_file(name))
        lines.append(
            Line(name, "running" if identity else "stopped", f"process {identity.pid}" if identity else "")
        )
    port = web_port()
    if port is not None and served(port):
        lines.append(Line("address", "answers", address(port)))
    if embedded.used():
        known = embedded.status()
        lines.append(
            Line("database", str(known.pop("state")), ", ".join(f"{k} {v}" for k, v in known.items() if v))
        )
    else:
        lines.append(Line("database", "external", "DATABASE_URL"))
    return lines
