"""Every figure, each as a ratio measured in one run: `make bench`, or `python -m bench bill_run walk`."""

from __future__ import annotations

import importlib
import sys

ALL = ("charges", "long_contract", "ingestion", "recalculation", "bill_run", "audit", "controls", "walk")


def main(names: list[str]) -> None:
    unknown = set(names) - set(ALL)
    if unknown:
        sys.exit(f"No measurement is called {', '.join(sorted(unknown))}; there are {', '.join(ALL)}")
    for name in names or ALL:
        print(f"\n== {name}", flush=True)
        importlib.import_module(f"bench.{name}").main([])


if __name__ == "__main__":
    main(sys.argv[1:])
