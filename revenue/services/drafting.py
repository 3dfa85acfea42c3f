"""The versions that an order's contract still lacks, computed and not yet written.

Every change that was applied to the order, and every credit that corrected its price, is one version.
Versions that are stored are read back as they are: what was known and decided then does not change. A
judgement about one of them is a version too: it computes that one again, and those after it.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from billing.domain.types import Timeline
from o2c.periods import Period
from orders.models import Order, OrderLine
from revenue.domain.judgements import Ruling, Told, replay
from revenue.domain.schedules import ratable
from revenue.domain.stored import bands_as_json
from revenue.domain.types import Plan, Slice, Treatment
from revenue.domain.versions import KEPT, Priced, State, adjusted, initial, modified, schedule
from revenue.models import ContractVersion, Obligation
from revenue.postings import balance_account, revenue_account
from revenue.selectors.credits import Credit
from revenue.selectors.known import Knowledge
from revenue.selectors.promises import Offer, Ssp, as_known, bands, offer
from revenue.selectors.standalone import Prices

ZERO = Decimal(0)
VOIDED = ":voided"
Cause = ContractVersion.Cause
Basis = Obligation.Basis
ADJUSTS = (Cause.CREDITED, Cause.CORRECTED)


@dataclass(slots=True)
class Stored:
    """What the database holds of one contract already."""

    contract: int
    sources: dict[str, dt.date] = field(default_factory=dict)
    told: list[Told] = field(default_factory=list)
    judged: dict[str, dict[int, Treatment]] = field(default_factory=dict)
    bases: dict[int, str] = field(default_factory=dict)
    version: int = 0

    @property
    def history(self) -> list[State]:
        return [one.state for one in self.told]

    def judge(self, ruling: Ruling, currency: str) -> None:
        """Let a judgement count: the version that it is about, and those after it, as it says."""
        of = self.judged.setdefault(ruling.of, {})
        for line, treatment in ruling.lines.items():
            of.pop(line, None)
            if treatment is not None:
                of[line] = treatment
        self.told = replay(self.told, self.judged, currency, since=ruling.of)


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything about one order that decides its contract."""

    order: Order
    lines: Mapping[int, OrderLine]
    timeline: Timeline
    knowledge: Knowledge
    credits: Sequence[Credit]
    stored: Stored | None


@dataclass(frozen=True, slots=True)
class DraftVersion:
    """One version to write: the state, how its SSPs were found, the plans it makes."""

    number: int
    cause: str
    source: str
    state: State
    ssps: Mapping[int, Ssp]
    credits: Mapping[int, Decimal]
    plans: Mapping[int, Plan]
    credit_plans: Mapping[int, Plan]
    digest: str

    @property
    def transaction_price(self) -> Decimal:
        return self.state.price + sum(self.credits.values(), ZERO)


@dataclass(frozen=True, slots=True)
class DraftObligation:
    """An obligation as the last version leaves it."""

    line: OrderLine
    basis: str
    treatment: str
    balance_account: str
    revenue_account: str
    starts_on: dt.date
    ends_on: dt.date | None


@dataclass(frozen=True, slots=True)
class DraftContract:
    """What to write for one order: the versions it lacks and its obligations."""

    facts: Facts
    versions: Sequence[DraftVersion]
    obligations: Sequence[DraftObligation]


@dataclass(frozen=True, slots=True)
class _Step:
    """A change that makes a version."""

    cause: str
    source: str
    effective_on: dt.date
    amendments: tuple[int, ...]
    credits: int


def draft(facts: Facts, prices: Prices) -> DraftContract | None:
    """The versions that `facts` ask for and the contract lacks; None when it is up to date."""
    missing = _missing(facts)
    if not missing:
        return None
    stored = facts.stored
    history = stored.history if stored else []
    bases = _bases(facts)
    fixed = [line for line, basis in bases.items() if basis != Basis.CHARGED]
    versions: list[DraftVersion] = []
    number = stored.version if stored else 0
    for step in missing:
        number += 1
        known = as_known(facts.timeline, facts.knowledge.segments_after(step.amendments))
        made = offer(known, fixed, step.effective_on, prices)
        history.append(_state(history, step, made, facts.order.currency))
        versions.append(_version(number, step, history, made, bases, facts))
    return DraftContract(facts, versions, _obligations(facts, bases))


def rejudged(facts: Facts, ruling: Ruling) -> DraftContract | None:
    """The version that a judgement makes; None while the order or a credit says more than the contract knows.

    The contract is computed again from the version that it is about. `facts.stored` takes the judgement in.
    """
    stored = facts.stored
    if stored is None or _missing(facts):
        return None
    before = stored.history[-1].priced
    stored.judge(ruling, facts.order.currency)
    last = stored.history[-1]
    step = _Step(Cause.JUDGED, ruling.source, last.effective_on, (), 0)
    made = Offer((), {})
    version = _version(stored.version + 1, step, stored.history, made, _bases(facts), facts)
    about = {one.source: one.state for one in stored.told}[ruling.of].priced
    shown = {}
    for line, p in last.priced.items():
        if line in ruling.lines:
            shown[line] = Priced(p.promise, p.price, about[line].treatment, about[line].rule)
        elif p.price == before[line].price:
            shown[line] = Priced(p.promise, p.price, Treatment.NONE, KEPT)
        else:
            shown[line] = p
    said = json.dumps([version.digest, ruling.of, sorted(ruling.lines.items())])
    version = replace(
        version,
        state=State(last.effective_on, shown),
        digest=hashlib.sha256(said.encode()).hexdigest(),
    )
    return DraftContract(facts, [version], _obligations(facts, _bases(facts)))


def _missing(facts: Facts) -> list[_Step]:
    """The changes that have no version yet, in the order in which they became known."""
    order = facts.order
    steps = [_Step(Cause.ACTIVATED, f"orders.order:{order.pk}", order.starts_on, (), 0)]
    applied: list[int] = []
    for amendment in facts.knowledge.amendments:
        applied.append(amendment.id)
        cause = Cause.CANCELLED if amendment.kind in ("cancel", "transfer") else Cause.AMENDED
        source = f"orders.amendment:{amendment.id}"
        steps.append(_Step(cause, source, amendment.effective_on, tuple(applied), 0))
    for invoice in dict.fromkeys(credit.invoice for credit in facts.credits):
        issued = next(c.issued_on for c in facts.credits if c.invoice == invoice)
        steps.append(_Step(Cause.CREDITED, f"billing.invoice:{invoice}", issued, tuple(applied), invoice))
    done = facts.stored.sources if facts.stored else {}
    standing = {step.source for step in steps}
    for source in sorted(s for s in done if s.startswith("billing.invoice:") and not s.endswith(VOIDED)):
        if source not in standing:  # a document that counted and was voided since
            steps.append(_Step(Cause.CORRECTED, source + VOIDED, done[source], tuple(applied), 0))
    return [step for step in steps if step.source not in done]


def _bases(facts: Facts) -> dict[int, str]:
    """How each line is earned. A line keeps the basis it began with."""
    kept = facts.stored.bases if facts.stored else {}
    first = as_known(facts.timeline, facts.knowledge.segments_after(()))
    at_first = {line.id: line for line in first.lines}
    found = {}
    for line in facts.timeline.lines:
        kind = facts.lines[line.id].sku.kind
        segments = at_first.get(line.id, line).segments
        if line.id in kept:
            found[line.id] = kept[line.id]
        elif kind == "usage":
            found[line.id] = Basis.CHARGED
        elif kind == "prepaid":
            found[line.id] = Basis.DRAWDOWN
        elif kind == "recurring" and any(s.ends_on is None for s in segments):
            found[line.id] = Basis.CHARGED
        else:
            found[line.id] = Basis.FIXED
    return found


def _state(history: Sequence[State], step: _Step, made: Offer, currency: str) -> State:
    if not history:
        return initial(step.effective_on, made.promises, currency)
    if step.cause in ADJUSTS:
        return adjusted(history, step.effective_on)
    return modified(history, step.effective_on, made.promises, currency)


def _version(
    number: int,
    step: _Step,
    history: Sequence[State],
    made: Offer,
    bases: Mapping[int, str],
    facts: Facts,
) -> DraftVersion:
    currency = facts.order.currency
    state = history[-1]
    already = facts.stored.sources if facts.stored else {}
    counted = [
        c
        for c in facts.credits
        if f"billing.invoice:{c.invoice}" in already or (step.credits and c.invoice <= step.credits)
    ]
    credits: dict[int, Decimal] = {}
    credit_plans: dict[int, dict[dt.date, Decimal]] = {}
    for credit in counted:
        credits[credit.line] = credits.get(credit.line, ZERO) + credit.amount
        months = credit_plans.setdefault(credit.line, {})
        for part in ratable(credit.amount, Period(credit.starts_on, credit.ends_on), currency):
            months[part.month] = months.get(part.month, ZERO) + part.amount
    fixed = [line for line in state.priced if bases[line] == Basis.FIXED]
    return DraftVersion(
        number=number,
        cause=step.cause,
        source=step.source,
        state=state,
        ssps=made.ssps,
        credits=credits,
        plans={line: schedule(history, line, currency) for line in fixed},
        credit_plans={line: _plan(months) for line, months in credit_plans.items()},
        digest=_digest(state, counted),
    )


def _plan(months: Mapping[dt.date, Decimal]) -> Plan:
    return tuple(Slice(month, months[month]) for month in sorted(months))


def _digest(state: State, credits: Sequence[Credit]) -> str:
    """sha256 of what the version was computed from: promises and credits."""
    promises = [
        [p.promise.line, str(p.promise.stated), str(p.promise.ssp), bands_as_json(p.promise.bands)]
        for p in state.priced.values()
    ]
    taken = [[c.invoice, c.line, str(c.amount), str(c.starts_on), str(c.ends_on)] for c in credits]
    text = json.dumps([str(state.effective_on), promises, taken], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _obligations(facts: Facts, bases: Mapping[int, str]) -> list[DraftObligation]:
    found = []
    for line in facts.timeline.lines:
        row = facts.lines[line.id]
        service = bands(line)
        starts = service[0].start if service else min(s.starts_on for s in line.segments)
        ends = service[-1].end if service else starts
        if bases[line.id] == Basis.DRAWDOWN:
            ends = max((s.ends_on or dt.date.max for s in line.segments), default=ends)
        treatment = row.sku.revenue_treatment or "ratable_daily"
        found.append(
            DraftObligation(
                line=row,
                basis=bases[line.id],
                treatment=treatment,
                balance_account=balance_account(treatment, row.timing),
                revenue_account=revenue_account(row.sku.kind),
                starts_on=starts,
                ends_on=None if ends == dt.date.max else ends,
            )
        )
    return found
