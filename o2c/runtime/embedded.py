"""The embedded PostgreSQL: one server per checkout, its binaries from a wheel, started by this launcher.

The wheel's own launcher is not used: it opens parent directories to everybody, and takes a stale pid
for its server, which it may then kill. The rules here: one lock; connect first, start only when nobody
answers; believe a pid file only when the process behind it is a postgres in our data directory; bind to
127.0.0.1 with SCRAM passwords; never stop at exit, only on request.

For a laptop, a demonstration and tests. Set DATABASE_URL to use a real server (docs/operations.md).
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil
import psycopg

from o2c.runtime import home, processes, roles, serveruser

DATABASE = "o2c"
SUPERUSER = "o2c_superuser"
START_SECONDS = 60
ROLE_NAMES = {"superuser": SUPERUSER, "owner": roles.OWNER, "app": roles.APP, "auditor": roles.AUDITOR}


class EmbeddedError(RuntimeError):
    """The embedded server cannot be started; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Server:
    """Where the server of this checkout is. `user` is who it runs as, empty for ourselves."""

    port: int
    root: Path
    binaries: Path
    user: str = ""

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def log(self) -> Path:
        return self.root / "log"


def used() -> bool:
    """The embedded server is used unless a database address is given."""
    return not os.environ.get("DATABASE_URL")


def _state_file() -> Path:
    return home.home() / "embedded.json"


def _recorded() -> Server | None:
    state = home.read_json(_state_file())
    if "port" not in state:
        return None
    return Server(state["port"], Path(state["root"]), Path(state["binaries"]), state["user"])


def url(role: str = "app", database: str = DATABASE) -> str:
    """The database address for one of the roles; it leads nowhere until the server was prepared once."""
    server = _recorded()
    port = server.port if server else 1
    return f"postgres://{ROLE_NAMES[role]}:{quote(home.known_password(role))}@127.0.0.1:{port}/{database}"


def dsn(role: str, database: str = DATABASE) -> str:
    return f"{url(role, database)}?connect_timeout=3"


def postmaster(server: Server) -> processes.Identity | None:
    """The running server process of this data directory, whatever its pid file says about strangers."""
    try:
        pid = int((server.data / "postmaster.pid").read_text().split()[0])
        process = psutil.Process(pid)
        ours = process.name().startswith("postgres") and Path(process.cwd()) == server.data
    except (OSError, ValueError, IndexError, psutil.Error):
        return None
    return processes.identify(pid) if ours else None


def free_port(preferred: int = 0) -> int:
    """The preferred port when nobody listens on it, else one that the kernel picks. 127.0.0.1 only."""
    for port in (preferred, 0):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return int(probe.getsockname()[1])
    raise EmbeddedError("No free port on 127.0.0.1")


def _run(server: Server, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run one of the server's programs, detached from our terminal, as the server's user."""
    as_user: dict[str, Any] = {"user": server.user, "group": server.user, "extra_groups": []}
    log = server.root / "launcher.log"
    with log.open("w") as output:
        done = subprocess.run(
            [str(server.binaries / program), *arguments],
            cwd="/",
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            text=True,
            check=False,
            **(as_user if server.user else {}),
        )
    done.stdout = log.read_text()
    return done


def _prepare() -> Server:
    """The recorded place of the server, or a new one. Called under the lock."""
    server = _recorded()
    if server is None or not (server.binaries / "postgres").exists():
        place = serveruser.choose(home.make_home())
        server = Server(server.port if server else free_port(), place.root, place.binaries, place.user)
        _save(server)
    if not (server.data / "PG_VERSION").exists():
        _initialise(server)
    return server


def _save(server: Server) -> None:
    home.write_json(
        _state_file(),
        {
            "port": server.port,
            "root": str(server.root),
            "binaries": str(server.binaries),
            "user": server.user,
        },
    )


def _initialise(server: Server) -> None:
    """Create the cluster beside its place and move it there, so that half a cluster never counts."""
    password = home.passwords()["superuser"]
    unfinished = server.root / "data.unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    password_file = server.root / "password"
    password_file.touch(mode=0o600)
    password_file.write_text(password)
    if server.user:
        shutil.chown(password_file, server.user)
    done = _run(
        server, "initdb", "-D", str(unfinished), "-U", SUPERUSER, "--encoding=UTF8",
        "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--auth=scram-sha-256",
        "--data-checksums", f"--pwfile={password_file}",
    )  # fmt: skip
    password_file.unlink()
    if done.returncode:
        raise EmbeddedError(f"initdb failed in {server.root}:\n{done.stdout[-2000:]}")
    unfinished.rename(server.data)


def _answers(server: Server) -> bool:
    """Our server, and no other, accepts connections at the recorded port."""
    try:
        with psycopg.connect(dsn("superuser", "postgres")) as connection:
            row = connection.execute("SHOW data_directory").fetchone()
    except psycopg.OperationalError:
        return False
    return row is not None and Path(row[0]) == server.data


def process_runs() -> bool:
    """The server process of this checkout exists; says nothing about whether it answers."""
    server = _recorded()
    return server is not None and postmaster(server) is not None


def _options(server: Server) -> str:
    memory = psutil.virtual_memory().total // 2**20
    settings = {
        "listen_addresses": "127.0.0.1",
        "port": server.port,
        "unix_socket_directories": "",
        "max_connections": 120,
        "shared_buffers": f"{min(1024, max(128, memory // 16))}MB",
        "work_mem": "16MB",
        "maintenance_work_mem": "128MB",
        "max_wal_size": "2GB",
        "checkpoint_timeout": "15min",
        "jit": "off",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "log_min_duration_statement": "2s",
        "password_encryption": "scram-sha-256",
        "log_line_prefix": "%m,[%p],%u@%d,%a,",
    }
    return " ".join(f"-c {name}='{value}'" for name, value in settings.items())


def _start(server: Server) -> Server:
    """Start the server and wait until it answers; retries while a killed one's processes still leave."""
    deadline = time.monotonic() + START_SECONDS
    problem = ""
    while time.monotonic() < deadline:
        if postmaster(server) is not None:  # starting up, recovering, or shutting down
            if _answers(server):
                return server
            time.sleep(0.2)
            continue
        (server.data / "postmaster.pid").unlink(missing_ok=True)
        port = free_port(server.port)
        if port != server.port:
            server = Server(port, server.root, server.binaries, server.user)
            _save(server)
        done = _run(
            server, "pg_ctl", "-D", str(server.data), "-l", str(server.log), "-w", "-t", "30",
            "start", "-o", _options(server),
        )  # fmt: skip
        if done.returncode == 0 and _answers(server):
            return server
        problem = done.stdout[-1000:] + tail(server.log)
        time.sleep(0.3)
    raise EmbeddedError(f"PostgreSQL does not start in {server.root}. Its last words:\n{problem}")


def tail(path: Path) -> str:
    """The last words of a log."""
    with contextlib.suppress(OSError):
        return path.read_text(errors="replace")[-2000:]
    return ""


def ensure() -> str:
    """Have the server running with its database and roles. Answers "already" or "started".

    Raises EmbeddedError. Safe to call from any number of processes at once.
    """
    server = _recorded()
    if server is not None and _ready():
        return "already"
    with home.lock("database"):
        server = _prepare()
        running = _answers(server)
        if not running:
            server = _start(server)
        secrets = home.passwords()
        roles.create(
            dsn("superuser", "postgres"),
            database=os.environ.get("O2C_DATABASE", DATABASE),
            passwords={
                roles.OWNER: secrets["owner"],
                roles.APP: secrets["app"],
                roles.AUDITOR: secrets["auditor"],
            },
        )
    return "already" if running else "started"


def _ready() -> bool:
    try:
        psycopg.connect(dsn("app", os.environ.get("O2C_DATABASE", DATABASE))).close()
    except psycopg.OperationalError:
        return False
    return True


def ensure_if_used() -> None:
    if used():
        ensure()


def stop() -> str:
    """Stop the server of this checkout and nothing else. Answers "stopped" or "not running"."""
    with home.lock("database"):
        server = _recorded()
        identity = postmaster(server) if server else None
        if identity is None:
            return "not running"
        os.kill(identity.pid, signal.SIGINT)  # fast shutdown: sessions end, nothing is lost
        if not processes.wait_gone(identity, 60):
            os.kill(identity.pid, signal.SIGQUIT)
            processes.wait_gone(identity, 30)
        return "stopped"


def remove() -> None:
    """Delete the cluster, wherever it was put. The server must be stopped."""
    server = _recorded()
    if server is not None and postmaster(server) is None:
        shutil.rmtree(server.root, ignore_errors=True)
        if serveruser.ASIDE in server.binaries.parents:
            copied = server.binaries.relative_to(serveruser.ASIDE).parts[0]
            shutil.rmtree(serveruser.ASIDE / copied, ignore_errors=True)


def status() -> dict[str, Any]:
    server = _recorded()
    if server is None:
        return {"state": "never started"}
    identity = postmaster(server)
    state = "running" if identity and _answers(server) else "starting" if identity else "stopped"
    return {
        "state": state,
        "pid": identity.pid if identity else None,
        "port": server.port,
        "data": str(server.data),
    }
