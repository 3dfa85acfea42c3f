"""What a policy would have asked of the requests of the past: how many move, and for how much."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from o2c.controls.approvals.domain import policy as rules
from o2c.controls.approvals.models import Request, Step
from o2c.controls.approvals.registry import Act
from o2c.errors import DomainError


@dataclass(frozen=True, slots=True)
class Moved:
    """A request whose steps would be others; `after` None where the policy could not say."""

    request_id: int
    label: str
    amount: Decimal | None
    currency: str
    before: tuple[str, ...]
    after: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Backtest:
    looked_at: int
    same: int
    moved: Sequence[Moved]

    @property
    def amounts(self) -> dict[str, Decimal]:
        """What is re-routed, by functional currency."""
        found: dict[str, Decimal] = {}
        for one in self.moved:
            if one.amount is not None:
                found[one.currency] = found.get(one.currency, Decimal(0)) + one.amount
        return found

    @property
    def amount_text(self) -> str:
        return (
            ", ".join(f"{amount:,.2f} {currency}" for currency, amount in sorted(self.amounts.items())) or "-"
        )


def backtest(act: Act, policy: rules.Policy, *, since: dt.datetime | None = None) -> Backtest:
    """Route every request of the act (since an instant) by `policy`; two queries."""
    requests = Request.objects.filter(act=act.code)
    if since is not None:
        requests = requests.filter(submitted_at__gte=since)
    routes: dict[int, list[str]] = {}
    steps = Step.objects.filter(request__in=requests, round=1).order_by("request", "position")
    for request, code in steps.values_list("request_id", "code"):
        routes.setdefault(request, []).append(code)
    moved, looked_at = [], 0
    for row in requests.only("facts", "amount", "currency", "subject_label"):
        looked_at += 1
        before = tuple(routes.get(row.pk, ()))
        try:
            after: tuple[str, ...] | None = tuple(one.step.code for one in rules.asked(policy, row.facts))
        except DomainError:
            after = None
        if after != before:
            moved.append(Moved(row.pk, str(row), row.amount, row.currency, before, after))
    return Backtest(looked_at, looked_at - len(moved), tuple(moved))
