"""The walk at one size and at ten times that size: does its cost grow in line?

    python -m bench.walk [customers] [events]

Sells, meters, bills, delivers, collects, recognises and closes one month (August 2026) for a small and for a
ten times larger company, each in a database of its own, and prints the seconds of each step side by side.
"""

from __future__ import annotations

import sys
import time

from bench.database import scratch

TIMES = 10


class Stopwatch:
    """A report of the walk that keeps the seconds of each step."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._label = ""
        self._since = 0.0

    def step(self, label: str, total: int | None = None):  # type: ignore[no-untyped-def]
        self.stop()
        self._label, self._since = label, time.perf_counter()
        return lambda count: None

    def stop(self) -> None:
        if self._label:
            self.seconds[self._label] = time.perf_counter() - self._since


def measure(customers: int, events: int) -> dict[str, float]:
    """Seconds by step of one month's walk."""
    with scratch("o2c_bench_walk"):
        from django.test.utils import override_settings

        from o2c.demo.walk.journey import Scale, walk

        watch = Stopwatch()
        # `events` is what the company would send in three months; one is walked.
        scale = Scale(customers=customers, events=events * 3, months=1)
        with override_settings(EMAIL_BACKEND="django.core.mail.backends.dummy.EmailBackend"):
            walk(scale, "a-password-for-the-bench", watch)
        watch.stop()
        return watch.seconds


def main(arguments: list[str]) -> None:
    customers, events = (*map(int, arguments), *(300, 100_000)[len(arguments) :])
    small = measure(customers, events)
    large = measure(TIMES * customers, TIMES * events)
    print(f"{'one month':<46} {customers:>9,} {TIMES * customers:>9,}   ratio (in line: {TIMES})")
    for label, seconds in small.items():
        print(f"{label:<46} {seconds:8.2f}s {large[label]:8.2f}s   {large[label] / max(seconds, 0.001):5.1f}")
    before, after = sum(small.values()), sum(large.values())
    print(f"{'all':<46} {before:8.2f}s {after:8.2f}s   {after / before:5.1f}")


if __name__ == "__main__":
    main(sys.argv[1:])
