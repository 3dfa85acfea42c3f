"""The money strip: quote → order → invoice → cash → revenue, as far as the apps contribute stages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from o2c.console.registry import Anchor, StripAmount, StripStage, registry


@dataclass(frozen=True, slots=True)
class ShownStage:
    """A stage with its amounts. `missing` stages are drawn in outline; `absence` says in words whether
    they may still come or were passed over.
    """

    label: str
    amounts: Sequence[StripAmount]
    absence: str = "not yet"

    @property
    def missing(self) -> bool:
        return not self.amounts

    @property
    def href(self) -> str:
        return self.amounts[0].href if self.amounts else ""


def strip_for(anchor: Anchor | None) -> list[ShownStage] | None:
    """The stages for what a page is about, None without an anchor or without ids."""
    if anchor is None or not anchor.ids:
        return None
    shown: list[ShownStage] = []
    for stage in reversed(registry.all(StripStage)):
        amounts = stage.amounts(anchor)
        if amounts is not None:
            passed = any(later.amounts for later in shown)
            shown.append(ShownStage(stage.label, list(amounts), "none" if passed else "not yet"))
    return shown[::-1]
