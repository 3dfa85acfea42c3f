"""The stand-in's memory: a file of lines that several processes share, each reading what the others wrote."""

import fcntl
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Entry = dict[str, Any]


class Journal:
    """Appended lines of JSON. Without a path it remembers only within the process."""

    def __init__(self, path: Path | None, apply: Callable[[Entry], None]) -> None:
        self.path = path
        self._apply = apply
        self._offset = 0
        self._lock = threading.RLock()
        self._depth = 0

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Alone among threads and processes, with everything applied that the others wrote before."""
        with self._lock:
            if self.path is None or self._depth:
                yield
                return
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.with_suffix(".lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                self._depth += 1
                try:
                    self._catch_up()
                    yield
                finally:
                    self._depth -= 1

    def _catch_up(self) -> None:
        assert self.path is not None
        if not self.path.exists() or self.path.stat().st_size < self._offset:
            self._offset = 0  # somebody began a new file
        if not self.path.exists():
            return
        with self.path.open() as file:
            file.seek(self._offset)
            for line in file:
                self._apply(json.loads(line))
            self._offset = file.tell()

    def write(self, entry: Entry) -> None:
        """Apply and remember an entry. Inside `exclusive`."""
        self._apply(dict(entry))
        if self.path is not None:
            with self.path.open("a") as file:
                file.write(json.dumps(entry) + "\n")
                file.flush()
                self._offset = file.tell()
