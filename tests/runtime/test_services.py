"""Everything that runs: started once, kept running, ended exactly, whatever was killed in between."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from o2c.runtime import control, embedded, home, processes, supervisor
from tests.runtime.workers import eventually

pytestmark = [pytest.mark.services, pytest.mark.slow]


def _manage(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=home.PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _running(name: str) -> processes.Identity | None:
    return processes.recorded(supervisor.record_file(name))


def _must_run(name: str) -> processes.Identity:
    identity = _running(name)
    assert identity is not None, f"{name} does not run"
    return identity


def test_start_kill_start_stop(installation: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("O2C_WEB_WORKERS", "1")
    monkeypatch.setenv("O2C_WORKER_PROCESSES", "1")

    # A first start brings up everything; a second finds it.
    _manage("services", "database")
    _manage("migrate", "--verbosity", "0")
    address = _manage("services", "start").split()[-1]
    first = {name: _must_run(name) for name in ("supervisor", "web", "worker", "beat", "provisioning")}
    assert _manage("services", "start").split()[-1] == address
    assert {name: _must_run(name) for name in first} == first

    # A worker that dies is started again.
    os.kill(first["worker"].pid, signal.SIGKILL)
    eventually(
        lambda: _running("worker") not in {None, first["worker"]}, 20, supervisor.log_file("supervisor")
    )

    # The database, killed, comes back by itself, and web answers from it again.
    os.kill(int(embedded.status()["pid"]), signal.SIGKILL)
    eventually(lambda: embedded.status()["state"] == "running", 30, supervisor.log_file("supervisor"))

    # The supervisor, killed, leaves its children; the next start ends them and takes their place.
    os.kill(_must_run("supervisor").pid, signal.SIGKILL)
    left = _must_run("web")
    assert _manage("services", "start").split()[-1] == address
    assert not left.alive()

    # Stop ends all of it, and a second stop finds nothing to do.
    mine = [_must_run(name) for name in first]
    _manage("services", "stop")
    assert [identity for identity in mine if identity.alive()] == []
    assert embedded.status()["state"] == "stopped"
    assert _manage("services", "stop").split() == ["database:", "not", "running"]


def test_a_stand_in_runs_only_where_its_service_has_no_address(
    installation: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PROVISIONING_URL", raising=False)
    started = {service.name: service for service in supervisor.services(8000)}
    url = started["worker"].environment["PROVISIONING_URL"]
    assert started["web"].environment["PROVISIONING_URL"] == url
    assert url == f"http://127.0.0.1:{started['provisioning'].command[-1]}"

    for name, value in (("PROVISIONING_URL", "https://grants.example"), ("O2C_PROFILE", "production")):
        with monkeypatch.context() as here:
            here.setenv(name, value)
            services = supervisor.services(8000)
        assert [service.name for service in services] == ["web", "worker", "beat"]
        assert "PROVISIONING_URL" not in services[1].environment


def test_stop_ends_nobody_else(installation: Path) -> None:
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
    try:
        # The record of a worker that died long ago; its number belongs to somebody else today.
        record = supervisor.record_file("worker")
        home.write_json(record, {"pid": stranger.pid, "started": "12345", "boot": "a boot before this"})

        control.stop()

        assert stranger.poll() is None
        assert not record.exists()
    finally:
        stranger.kill()
        stranger.wait()
