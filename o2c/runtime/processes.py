"""Which process is it? A pid alone is not an answer: numbers are reused, after a reboot at once.

An identity is the pid, its start time in kernel ticks and the boot it belongs to. Nothing here ever
signals a process whose identity is not the recorded one.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from o2c.runtime.home import read_json, write_json

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class Identity:
    """A process of this boot, unmistakably."""

    pid: int
    started: str
    boot: str

    def alive(self) -> bool:
        return identify(self.pid) == self


def _boot() -> str:
    try:
        return BOOT_ID.read_text().strip()
    except OSError:
        return str(int(psutil.boot_time()))


def _started(pid: int) -> str:
    try:
        # The command, in brackets, may contain spaces; field 22 of the line is the start in ticks.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        if Path("/proc/self/stat").exists():
            raise psutil.NoSuchProcess(pid) from None
        return str(psutil.Process(pid).create_time())
    if fields[0] in {"Z", "X"}:
        raise psutil.NoSuchProcess(pid)
    return fields[19]


def identify(pid: int) -> Identity | None:
    """The identity of the living process with this number, None when there is none (or a zombie)."""
    try:
        return Identity(pid, _started(pid), _boot())
    except (psutil.Error, OSError):
        return None


def record(path: Path, pid: int, **extra: Any) -> Identity:
    """Write down which process this is. Raises ProcessLookupError when it is gone already."""
    identity = identify(pid)
    if identity is None:
        raise ProcessLookupError(f"process {pid} ended before it could be recorded in {path}")
    write_json(path, asdict(identity) | extra)
    return identity


def recorded(path: Path) -> Identity | None:
    """The living process that a record names; None when it ended or its number went to another."""
    content = read_json(path)
    try:
        identity = Identity(int(content["pid"]), str(content["started"]), str(content["boot"]))
    except (KeyError, ValueError):
        return None
    return identity if identity.alive() else None


def wait_gone(identity: Identity, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while identity.alive():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def end(identity: Identity, *, grace_seconds: float = 20, group: bool = True) -> str:
    """Ask a process to end, then make it. Answers "ended", "killed" or "gone" (it was not there).

    With `group`, what it started (its process group, which it must lead) is signalled as well.
    """
    if not identity.alive():
        return "gone"
    _signal(identity, signal.SIGTERM, group=False)
    answer = "ended"
    if not wait_gone(identity, grace_seconds):
        _signal(identity, signal.SIGKILL, group=group)
        wait_gone(identity, 5)
        answer = "killed"
    elif group:
        # The leader is gone; a group with its number can only hold what it left behind.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(identity.pid, signal.SIGKILL)
    return answer


def _signal(identity: Identity, number: signal.Signals, *, group: bool) -> None:
    with contextlib.suppress(ProcessLookupError):
        if group and os.getpgid(identity.pid) == identity.pid:
            os.killpg(identity.pid, number)
        else:
            os.kill(identity.pid, number)
