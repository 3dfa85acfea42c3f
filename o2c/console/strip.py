"""The money strip: quote → order → invoice → cash → revenue, as far as the apps contribute stages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from o2c.console.registry import Anchor, StripAmount, StripStage, registry


@dataclass(frozen=True, slots=True)
class ShownStage:
    """A stage with its amounts. `missing` stages are drawn in outline: not there yet,
    or not for this record.
    """

    label: str
    amounts: Sequence[StripAmount]

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
    shown = []
    for stage in registry.all(StripStage):
        amounts = stage.amounts(anchor)
        if amounts is not None:
            shown.append(ShownStage(stage.label, list(amounts)))
    return shown
