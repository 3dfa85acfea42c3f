"""Have a virtual environment that is exactly what a lock file says. Standard library only.

    python .ci/environment.py .venv requirements.lock

A stamp in the environment remembers the lock and the interpreter it was made from, so that a second run
costs nothing. Every package is checked against the hashes of the lock. An interrupted installation leaves no
stamp and is gone through again.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import sysconfig
import time
import venv
from pathlib import Path

SUPPORTED = ((3, 11), (3, 12), (3, 13))


def main(directory: Path, lock: Path) -> int:
    if sys.version_info[:2] not in SUPPORTED:
        return fail(f"Python {sys.version.split()[0]} is not supported; use 3.11, 3.12 or 3.13")
    if satisfied(directory, lock):
        return 0
    if not usable(directory):
        print(f"Making {directory} with Python {sys.version.split()[0]} …", flush=True)
        if not make(directory):
            return 1
    if lock.name != "requirements-dev.lock" and satisfied(directory, lock.with_name("requirements-dev.lock")):
        return 0
    print(f"Installing {lock.name} …", flush=True)
    started = time.monotonic()
    python = directory / "bin" / "python"
    # The lock names every package, so nothing is resolved; hashes are required for each file.
    command = [
        str(python), "-m", "pip", "install", "-qq", "--disable-pip-version-check", "--no-deps",
        "--require-hashes", "--requirement", str(lock),
    ]  # fmt: skip
    if subprocess.run(command, check=False, stdin=subprocess.DEVNULL).returncode:
        return fail(f"{lock.name} could not be installed; see above. Running the same command again goes on.")
    stamp(directory, lock).write_text(fingerprint(lock))
    print(f"Installed in {time.monotonic() - started:.0f} s", flush=True)
    return 0


def fail(words: str) -> int:
    print(words, file=sys.stderr)
    return 1


def fingerprint(lock: Path) -> str:
    return f"{hashlib.sha256(lock.read_bytes()).hexdigest()} {sysconfig.get_python_version()}\n"


def stamp(directory: Path, lock: Path) -> Path:
    return directory / f".{lock.name}.installed"


def satisfied(directory: Path, lock: Path) -> bool:
    mark = stamp(directory, lock)
    return mark.exists() and usable(directory) and mark.read_text() == fingerprint(lock)


def usable(directory: Path) -> bool:
    """The environment has a pip and is of the same Python version as we are."""
    question = "import sys, pip; print('%d.%d' % sys.version_info[:2])"
    try:
        answer = subprocess.run(
            [str(directory / "bin" / "python"), "-c", question], capture_output=True, text=True, check=False
        )
    except OSError:
        return False
    return answer.stdout.strip() == sysconfig.get_python_version()


def make(directory: Path) -> bool:
    try:
        import ensurepip  # noqa: F401
    except ImportError:
        if not install_ensurepip():
            return False
    try:
        venv.EnvBuilder(with_pip=True, clear=directory.exists(), symlinks=True).create(directory)
    except (OSError, subprocess.CalledProcessError) as error:
        fail(f"The environment could not be made: {error}")
        return False
    return True


def install_ensurepip() -> bool:
    """Debian keeps this part of Python in a package of its own."""
    package = f"python{sysconfig.get_python_version()}-venv"
    if os.geteuid() == 0 and Path("/usr/bin/apt-get").exists():
        for arguments in (["update", "-q"], ["install", "-qy", "--no-install-recommends", package]):
            subprocess.run(["apt-get", *arguments], check=False, stdin=subprocess.DEVNULL)
        if subprocess.run([sys.executable, "-c", "import ensurepip"], check=False).returncode == 0:
            # This process has looked for the module already and would not look again.
            os.execv(sys.executable, [sys.executable, *sys.argv])
    fail(f"This Python cannot make environments: install the package {package} and try again")
    return False


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
