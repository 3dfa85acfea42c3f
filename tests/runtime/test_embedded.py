"""The launcher of the embedded server: starts once, believes no stale pid, survives crashes, harms nobody."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from o2c.runtime import embedded, home, processes, serveruser

pytestmark = [pytest.mark.services]


@pytest.fixture
def stranger() -> Iterator[subprocess.Popen[bytes]]:
    """A process that is none of our business."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
    yield process
    process.kill()
    process.wait()


def _server() -> embedded.Server:
    server = embedded._recorded()
    assert server is not None
    return server


def _postmaster() -> processes.Identity:
    identity = embedded.postmaster(_server())
    assert identity is not None
    return identity


def test_the_second_start_finds_the_first(installation: Path) -> None:
    assert embedded.ensure() == "started"
    first = _postmaster()

    assert embedded.ensure() == "already"
    assert _postmaster() == first

    assert embedded.stop() == "stopped"
    assert not first.alive()
    assert embedded.stop() == "not running"


def test_a_pid_file_that_names_a_stranger_is_not_believed(
    installation: Path, stranger: subprocess.Popen[bytes]
) -> None:
    embedded.ensure()
    embedded.stop()
    pid_file = _server().data / "postmaster.pid"
    pid_file.write_text(f"{stranger.pid}\n{_server().data}\n1\n5432\n\n127.0.0.1\n\n")

    assert embedded.status()["state"] == "stopped"
    assert embedded.stop() == "not running"
    assert embedded.ensure() == "started"
    assert stranger.poll() is None


def test_a_killed_server_comes_back_with_what_was_committed(installation: Path) -> None:
    embedded.ensure()
    with psycopg.connect(embedded.dsn("owner")) as connection:
        connection.execute("CREATE TABLE kept AS SELECT generate_series(1, 1000) AS n")
    os.kill(_postmaster().pid, signal.SIGKILL)

    embedded.ensure()

    with psycopg.connect(embedded.dsn("owner")) as connection:
        assert connection.execute("SELECT count(*) FROM kept").fetchone() == (1000,)


def test_half_an_installation_does_not_block_the_next_start(installation: Path) -> None:
    embedded.ensure()
    embedded.stop()
    server = _server()
    # As if the machine had lost power while the cluster was being made for the first time.
    server.data.rename(server.root / "data.unfinished")
    (server.root / "data.unfinished" / "pg_hba.conf").unlink()

    assert embedded.ensure() == "started"


def test_a_port_that_somebody_took_is_left_to_them(installation: Path) -> None:
    embedded.ensure()
    embedded.stop()
    taken = _server().port
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", taken))
        other.listen()

        assert embedded.ensure() == "started"
        assert _server().port != taken


def test_two_starts_at_once_make_one_server(installation: Path) -> None:
    code = "from o2c.runtime import embedded; print(embedded.ensure())"
    starts = [
        subprocess.Popen([sys.executable, "-c", code], cwd=home.PROJECT, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    answers = sorted(process.communicate(timeout=60)[0].strip() for process in starts)

    assert answers == ["already", "already", "started"]


def test_nobody_else_gets_in(installation: Path) -> None:
    before = installation.parent.stat().st_mode
    embedded.ensure()

    port = _server().port
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(f"host=127.0.0.1 port={port} user=o2c_owner dbname=o2c password=guess")
    assert (installation / "secrets.json").stat().st_mode & 0o777 == 0o600
    assert _server().root.stat().st_mode & 0o777 == 0o700
    assert installation.parent.stat().st_mode == before
    listening = [c for c in _listeners(_postmaster().pid) if c[0] != "127.0.0.1"]
    assert listening == []


def _listeners(pid: int) -> list[tuple[str, int]]:
    import psutil

    connections = psutil.Process(pid).net_connections(kind="all")
    return [(c.laddr.ip, c.laddr.port) for c in connections if c.status == psutil.CONN_LISTEN and c.laddr]


def test_a_reused_process_number_is_another_process(
    tmp_path: Path, stranger: subprocess.Popen[bytes]
) -> None:
    record = tmp_path / "web.json"
    processes.record(record, stranger.pid)
    assert processes.recorded(record) is not None

    # The same number, started at another moment: what a reboot or a wrap-around leaves.
    content = home.read_json(record)
    home.write_json(record, content | {"started": "1"})
    assert processes.recorded(record) is None
    home.write_json(record, content | {"boot": "another boot"})
    assert processes.recorded(record) is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root needs another account")
def test_as_root_in_a_private_directory_no_permission_is_widened(
    installation: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given binaries and state where only root may go, as in a checkout under /root.
    private = tmp_path / "private"
    server_directory, package, site = serveruser._packaged_binaries().parents[:3]
    moved = private / package.name / server_directory.name
    shutil.copytree(server_directory, moved, symlinks=True)
    libraries = f"{package.name}.libs"
    shutil.copytree(site / libraries, private / libraries, symlinks=True)
    private.chmod(0o700)
    monkeypatch.setattr(serveruser, "_packaged_binaries", lambda: moved / "bin")

    assert embedded.ensure() == "started"

    server = _server()
    assert serveruser.ASIDE in server.root.parents
    assert serveruser.ASIDE in server.binaries.parents
    assert private.stat().st_mode & 0o777 == 0o700
    embedded.stop()
    embedded.remove()
    assert not server.root.exists()
    assert not server.binaries.exists()
