"""A real trace at a real price list: every request of a customer rated at the listed price per token."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from o2c.errors import InvalidInput


@dataclass(frozen=True)
class Trace:
    """The files that `make demo USAGE=… PRICES=…` names."""

    usage: Path
    prices: Path

    @classmethod
    def of(cls, usage: Path | None, prices: Path | None) -> Trace | None:
        """None without files. Raises InvalidInput when only one is named, or one is not there."""
        if usage is None and prices is None:
            return None
        if usage is None or prices is None:
            raise InvalidInput("A trace is billed with a price list", remedy="Give both USAGE=… and PRICES=…")
        for path in (usage, prices):
            if not path.is_file():
                raise InvalidInput(f"There is no file {path}")
        return cls(usage, prices)
