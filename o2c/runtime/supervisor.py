"""Keeps web, worker, scheduler, stand-ins and the embedded database running, detached from any terminal.

One supervisor per checkout: it holds a file lock for as long as it lives, and the kernel takes the lock
back however it dies. Each child leads its own process group and is recorded with its identity, so that
the next supervisor ends what a killed one left behind, and nothing else.

Run as `python -m o2c.runtime.supervisor`; `manage.py services` starts and stops it. No Django here: it
must come up while the product itself cannot.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from o2c.runtime import embedded, home, processes, standins

GRACE_SECONDS = 20
STEADY_SECONDS = 60
LONGEST_PAUSE = 30.0
LOG_BYTES = 20 * 2**20


@dataclass(frozen=True, slots=True)
class Service:
    """One long-running process: what to run, and what it needs in its environment."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)


def run_directory() -> Path:
    path = home.make_home() / "run"
    path.mkdir(mode=0o700, exist_ok=True)
    return path


def log_file(name: str) -> Path:
    path = home.make_home() / "logs"
    path.mkdir(mode=0o700, exist_ok=True)
    return path / f"{name}.log"


def record_file(name: str) -> Path:
    return run_directory() / f"{name}.json"


def open_log(name: str) -> IO[bytes]:
    """The log to append to; a log that has grown too long is kept as .1 first."""
    path = log_file(name)
    if path.exists() and path.stat().st_size > LOG_BYTES:
        path.replace(path.with_suffix(".log.1"))
    return path.open("ab")


def services(port: int) -> list[Service]:
    """What runs. Concurrency is for two cores; the container deployment sets its own."""
    python = sys.executable
    web_workers = os.environ.get("O2C_WEB_WORKERS", "2")
    task_processes = os.environ.get("O2C_WORKER_PROCESSES", "2")
    bind = os.environ.get("O2C_BIND", "127.0.0.1")
    metrics = run_directory() / "metrics"
    metrics.mkdir(exist_ok=True)
    celery = (python, "-m", "celery", "-A", "o2c")
    schedule = run_directory() / "beat-schedule"
    outside = standins.wanted()
    addresses = {standin.variable: f"http://127.0.0.1:{at}" for standin, at in outside}
    return [
        *(Service(standin.name, standin.arguments(at)) for standin, at in outside),
        Service(
            "web",
            (
                *(python, "-m", "granian", "--interface", "wsgi", "--host", bind, "--port", str(port)),
                *("--workers", web_workers, "--blocking-threads", "4", "--no-ws", "--log-level", "warning"),
                *("--respawn-failed-workers", "o2c.wsgi:application"),
            ),
            {"O2C_DB_POOL_SIZE": "8", "PROMETHEUS_MULTIPROC_DIR": str(metrics), **addresses},
        ),
        Service(
            "worker",
            (
                *(*celery, "worker", "-c", task_processes, "-n", "o2c@%h", "-l", "INFO"),
                *("--without-gossip", "--without-mingle", "--without-heartbeat"),
            ),
            addresses,
        ),
        Service("beat", (*celery, "beat", "-s", str(schedule), "--pidfile", "", "-l", "INFO")),
    ]


class Supervisor:
    """Starts the services, starts again what ends, ends them all when told to."""

    def __init__(self, wanted: list[Service]) -> None:
        self.wanted = wanted
        self.children: dict[str, subprocess.Popen[bytes]] = {}
        self.started: dict[str, float] = {}
        self.pauses: dict[str, float] = {}
        self.not_before: dict[str, float] = {}
        self.stopping = False

    def run(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        end_leftovers(service.name for service in self.wanted)
        while not self.stopping:
            if embedded.used():
                self._keep_database()
            for service in self.wanted:
                self._keep(service)
            self._sleep(1.0)
        self._end_children()

    def _stop(self, *_: object) -> None:
        self.stopping = True

    def _sleep(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not self.stopping and time.monotonic() < deadline:
            time.sleep(0.1)

    def _keep_database(self) -> None:
        try:
            if not embedded.process_runs():
                _say("database: not running, starting it")
                embedded.ensure()
        except embedded.EmbeddedError as error:
            _say(f"database: {error}")

    def _keep(self, service: Service) -> None:
        name, now = service.name, time.monotonic()
        child = self.children.get(name)
        if child is not None:
            if child.poll() is None:
                return
            del self.children[name]
            steady = now - self.started[name] > STEADY_SECONDS
            pause = 1.0 if steady else min(LONGEST_PAUSE, self.pauses.get(name, 0.5) * 2)
            self.pauses[name], self.not_before[name] = pause, now + pause
            _say(f"{name}: ended with code {child.returncode}, starting again in {pause:.0f} s")
        if now >= self.not_before.get(name, 0.0):
            self._start(service)

    def _start(self, service: Service) -> None:
        environment = {**os.environ, "O2C_SERVICE": f"o2c {service.name}", **service.environment}
        environment.pop("O2C_DB_ROLE", None)
        with open_log(service.name) as output:
            child = subprocess.Popen(
                service.command, cwd=home.PROJECT, env=environment, stdin=subprocess.DEVNULL,
                stdout=output, stderr=output, start_new_session=True,
            )  # fmt: skip
        self.children[service.name] = child
        self.started[service.name] = time.monotonic()
        processes.record(record_file(service.name), child.pid)
        _say(f"{service.name}: started as process {child.pid}")

    def _end_children(self) -> None:
        for child in self.children.values():
            child.terminate()
        deadline = time.monotonic() + GRACE_SECONDS
        for name, child in self.children.items():
            try:
                child.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                _say(f"{name}: did not end in {GRACE_SECONDS} s, killing it")
            kill_group(child.pid)
            child.wait()
            record_file(name).unlink(missing_ok=True)
            _say(f"{name}: ended")


def end_leftovers(names: Iterable[str]) -> None:
    """End what an earlier supervisor, killed, has left running."""
    for name in names:
        left = processes.recorded(record_file(name))
        if left is not None:
            _say(f"{name}: ending process {left.pid}, left behind by an earlier supervisor")
            processes.end(left, grace_seconds=GRACE_SECONDS)


def kill_group(leader: int) -> None:
    """What is left of a child's own process group; the number is ours while we hold the child."""
    try:
        os.killpg(leader, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def _say(words: str) -> None:
    sys.stdout.write(f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {words}\n")
    sys.stdout.flush()


def main() -> int:
    port = int(sys.argv[1])
    lock = (home.make_home() / "supervisor.lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        _say("another supervisor is running")
        return 1
    os.set_inheritable(lock.fileno(), False)
    processes.record(record_file("supervisor"), os.getpid(), port=port)
    Supervisor(services(port)).run()
    record_file("supervisor").unlink(missing_ok=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
