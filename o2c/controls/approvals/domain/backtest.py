"""What another version of a policy would have asked of what really happened, by band of its amount."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from o2c.controls.approvals.domain import policy as rules
from o2c.errors import DomainError

UNSAID = "cannot be said"


@dataclass(frozen=True, slots=True)
class Case:
    """Something that was done or asked for: its facts, and the steps that were asked about them.

    `before` is () for what nobody else had to approve. `amount` is what is at stake, in functional currency;
    None where the act says none.
    """

    label: str
    facts: Mapping[str, Any]
    before: tuple[str, ...]
    amount: Decimal | None
    currency: str


@dataclass(frozen=True, slots=True)
class Moved:
    """A case whose steps would be others; `after` None where the version cannot say."""

    case: Case
    after: tuple[str, ...] | None


@dataclass(slots=True)
class Band:
    """The cases of one band: how many, how many of them go another way, and their amounts by currency."""

    reach: str
    cases: int = 0
    moved: int = 0
    amounts: dict[str, Decimal] = field(default_factory=dict)
    moved_amounts: dict[str, Decimal] = field(default_factory=dict)

    def take(self, case: Case, *, moved: bool) -> None:
        self.cases += 1
        self.moved += moved
        for sums in (self.amounts, self.moved_amounts) if moved else (self.amounts,):
            if case.amount is not None:
                sums[case.currency] = sums.get(case.currency, Decimal(0)) + case.amount


@dataclass(frozen=True, slots=True)
class Backtest:
    bands: tuple[Band, ...]
    moved: tuple[Moved, ...]

    @property
    def looked_at(self) -> int:
        return sum(band.cases for band in self.bands)


def backtest(policy: rules.Policy, cases: Iterable[Case]) -> Backtest:
    """Route every case by `policy` and compare with what was asked. Bands without cases are left out."""
    bands = {reach: Band(reach) for reach in (*_reaches(policy), UNSAID)}
    moved = []
    for case in cases:
        after = _route(policy, case.facts)
        differs = after != case.before
        bands[_reach(policy, case.facts)].take(case, moved=differs)
        if differs:
            moved.append(Moved(case, after))
    return Backtest(tuple(band for band in bands.values() if band.cases), tuple(moved))


def _route(policy: rules.Policy, facts: Mapping[str, Any]) -> tuple[str, ...] | None:
    try:
        return tuple(one.step.code for one in rules.asked(policy, facts))
    except DomainError:
        return None


def _reaches(policy: rules.Policy) -> list[str]:
    """'up to 5,000', 'above 5,000 up to 50,000', 'above 50,000'; one for all where there are no bands."""
    found, above = [], ""
    for level in policy.levels:
        limit = f"up to {level.up_to:,}" if level.up_to is not None else ""
        found.append(f"{above} {limit}".strip() or "all")
        above = f"above {level.up_to:,}" if level.up_to is not None else above
    return found or ["all"]


def _reach(policy: rules.Policy, facts: Mapping[str, Any]) -> str:
    if not policy.levels:
        return "all"
    try:
        value = rules.exact(rules.at(facts, policy.band_path))
        return _reaches(policy)[policy.levels.index(rules.band(policy.levels, value))]
    except DomainError:
        return UNSAID


def said(sums: Mapping[str, Decimal]) -> str:
    """'12,000.00 USD, 300.00 EUR'; '-' for nothing."""
    return ", ".join(f"{amount:,.2f} {currency}" for currency, amount in sorted(sums.items())) or "-"
