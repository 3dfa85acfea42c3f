"""Write requirements.lock (the product) and requirements-dev.lock (and the tools to test it).

Universal: one file for every supported Python and platform, with markers; every file with its hashes; no
address of any index, so that it installs from whichever one a machine uses.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HEADER = "# Made by `make lock` from pyproject.toml; install with pip --require-hashes.\n"
COMMON = [
    "pip", "compile", "pyproject.toml", "--universal", "--generate-hashes", "--python-version", "3.11",
    "--no-emit-index-url", "--no-emit-find-links", "--no-header", "--no-annotate", "--quiet",
]  # fmt: skip


def main() -> int:
    uv = str(Path(sys.executable).with_name("uv"))
    runs: tuple[tuple[str, list[str]], ...] = (
        ("requirements.lock", []),
        ("requirements-dev.lock", ["--group", "dev", "--constraint", "requirements.lock"]),
    )
    for name, extra in runs:
        done = subprocess.run([uv, *COMMON, *extra, "--output-file", name, *sys.argv[1:]], check=False)
        if done.returncode:
            return done.returncode
        path = Path(name)
        path.write_text(HEADER + path.read_text())
    return 0


if __name__ == "__main__":
    sys.exit(main())
