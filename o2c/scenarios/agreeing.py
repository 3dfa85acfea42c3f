"""Acts that a policy may ask others about: done at once where it asks nobody, else asked for and decided."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from billing.services import asking, requests
from o2c.controls import approvals
from o2c.controls.approvals.models import Request
from o2c.errors import Conflict
from o2c.scenarios.cast import REASON, Cast


def agreed(cast: Cast, act: str, pk: int, ask: Callable[[], Request], do: Callable[[], object]) -> None:
    """Do the act on the row `pk`, or `ask` and let the approver and the controller decide their steps."""
    if approvals.needs_approval(act, [pk]):
        decided(cast, ask())
    else:
        do()


def decided(cast: Cast, asked: Request) -> None:
    """Every step approved by whose it is; the last carries the act out."""
    for step in asked.steps.order_by("position"):
        judge = cast.controller if step.code == "controller" else cast.approver
        approvals.approve(asked.pk, actor=judge, reason=REASON)


def promoted(cast: Cast, **values: Any) -> None:
    """Promotional credit: given by the approver alone, or asked for where it is more than that."""
    try:
        requests.promote(**values, actor=cast.approver)
    except Conflict as error:
        if error.code != "approval_required":
            raise
        decided(cast, asking.promotion(**values, actor=cast.biller))
