"""Building revenue contracts from orders: one version for every change, written once."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from billing.services import rating
from o2c import locks
from o2c.access import require
from o2c.actor import Actor, acting
from o2c.errors import Conflict
from orders.models import Order, OrderLine
from revenue import events
from revenue.domain.judgements import Ruling, Told
from revenue.domain.stored import bands_as_json, promise_from_json
from revenue.domain.types import Treatment
from revenue.domain.versions import Priced, State
from revenue.models import Allocation, ContractVersion, Obligation, RevenueContract, ScheduleSlice
from revenue.selectors import credits, judgements, known, standalone
from revenue.selectors.promises import Ssp
from revenue.services.drafting import (
    ADJUSTS,
    DraftContract,
    DraftVersion,
    Facts,
    Stored,
    draft,
    rejudged,
)

CHUNK = 500
ZERO = Decimal(0)


def build(order_ids: Iterable[int], *, actor: Actor, reason: str = "") -> int:
    """Bring the contracts of these orders up to date; returns how many versions were new.

    Orders that were never activated are passed over. Chunks of CHUNK orders, each in one transaction
    with a fixed number of statements. Building twice writes nothing. Raises InvalidInput, naming the
    line, when an order cannot be priced.
    """
    wanted = sorted(set(order_ids))
    written = 0
    for start in range(0, len(wanted), CHUNK):
        with acting(actor, reason=reason or "Build revenue contracts"):
            require(actor, "revenue.contract.build")
            written += _build_chunk(wanted[start : start + CHUNK])
    return written


def _build_chunk(order_ids: Sequence[int]) -> int:
    locked = locks.rows(Order, order_ids)  # an order's contract has one builder at a time
    orders = {order.pk: order for order in locked if order.activated_on is not None}
    if not orders:
        return 0
    prices = standalone.load(list(orders))
    drafts = [made for facts in _facts(orders) if (made := draft(facts, prices)) is not None]
    return _write(drafts)


def _facts(orders: Mapping[int, Order]) -> list[Facts]:
    """Everything that decides the contracts of these orders."""
    ids = list(orders)
    lines = {
        line.pk: line for line in OrderLine.objects.filter(order__in=ids).select_related("sku").order_by("pk")
    }
    timelines = rating.load_timelines(ids, dt.date.max)
    knowledge = known.load(ids)
    adjusted = credits.load(ids)
    stored = load_stored(ids)
    return [
        Facts(order, lines, timelines[pk], knowledge[pk], adjusted.get(pk, ()), stored.get(pk))
        for pk, order in orders.items()
    ]


def foresee(order_id: int, ruling: Ruling) -> DraftContract:
    """What a judgement about one version of an order's contract would make of it; writes nothing.

    Locks the order: its contract has one builder at a time. Raises Conflict while a change of the order
    has not reached its contract.
    """
    order = locks.row(Order, order_id)
    made = rejudged(_facts({order.pk: order})[0], ruling)
    if made is None:
        raise Conflict(
            "The order has changed and its contract does not know of it yet",
            record=str(order),
            remedy="Wait for the event, or build the contract; then try again",
        )
    return made


def write_judged(made: DraftContract) -> None:
    """Write the version that an approved judgement makes. Its service has asked for its own duty."""
    _write([made])


def load_stored(order_ids: Sequence[int]) -> dict[int, Stored]:
    """Contracts, versions and allocations as stored, by order. Four queries, five where one was judged."""
    rows = RevenueContract.objects.filter(order__in=order_ids).values_list("pk", "order_id", "currency")
    contracts = {pk: order for pk, order, _ in rows}
    currencies = {pk: currency for pk, _, currency in rows}
    found = {pk: Stored(contract=pk) for pk in contracts}
    bases = Obligation.objects.filter(contract__in=found).values_list("contract_id", "order_line_id", "basis")
    for contract, line, basis in bases:
        found[contract].bases[line] = basis
    states: dict[int, dict[int, Priced]] = {}
    priced = (
        Allocation.objects.filter(version__contract__in=found)
        .exclude(obligation__basis=Obligation.Basis.CHARGED)
        .select_related("obligation")
    )
    for a in priced:
        line = a.obligation.order_line_id
        promise = promise_from_json(line, a.stated, a.ssp, a.bands)
        states.setdefault(a.version_id, {})[line] = Priced(promise, a.price, Treatment(a.treatment), a.rule)
    versions = list(ContractVersion.objects.filter(contract__in=found).order_by("contract_id", "number"))
    judged = judgements.load([v.source for v in versions if v.cause == ContractVersion.Cause.JUDGED])
    for version in versions:
        one = found[version.contract_id]
        one.sources[version.source] = version.effective_on
        one.version = version.number
        if version.source in judged:
            one.judge(judged[version.source], currencies[version.contract_id])
        else:
            state = State(version.effective_on, states.get(version.pk, {}))
            one.told.append(Told(version.source, state, version.cause in ADJUSTS))
    return {contracts[pk]: one for pk, one in found.items()}


def _write(drafts: Sequence[DraftContract]) -> int:
    if not drafts:
        return 0
    contracts = _write_contracts(drafts)
    obligations = _write_obligations(drafts, contracts)
    versions = [
        (d, v, ContractVersion(
            contract=contracts[d.facts.order.pk],
            number=v.number,
            effective_on=v.state.effective_on,
            cause=v.cause,
            source=v.source,
            transaction_price=v.transaction_price,
            digest=v.digest,
        ))
        for d in drafts
        for v in d.versions
    ]  # fmt: skip
    ContractVersion.objects.bulk_create([row for _, _, row in versions])
    allocations: list[Allocation] = []
    slices: list[ScheduleSlice] = []
    for _, version, row in versions:
        allocations += _allocations(version, row, obligations)
        slices += _slices(version, row, obligations)
    Allocation.objects.bulk_create(allocations, batch_size=5000)
    ScheduleSlice.objects.bulk_create(slices, batch_size=5000)
    events.contracts_built([(row.contract_id, row.number) for _, _, row in versions])
    return len(versions)


def _write_contracts(drafts: Sequence[DraftContract]) -> dict[int, RevenueContract]:
    """Insert the new contracts and bring the others to their last version; by order."""
    existing = {
        c.order_id: c for c in RevenueContract.objects.filter(order__in=[d.facts.order.pk for d in drafts])
    }
    new, changed = [], []
    for d in drafts:
        order = d.facts.order
        contract = existing.get(order.pk)
        if contract is None:
            contract = RevenueContract(
                order=order,
                entity_id=order.entity_id,
                customer_id=order.customer_id,
                currency=order.currency,
                starts_on=order.starts_on,
            )
            new.append(contract)
        else:
            changed.append(contract)
        last = d.versions[-1]
        ends = [o.ends_on for o in d.obligations]
        contract.version = last.number
        contract.ends_on = None if not ends or None in ends else max(e for e in ends if e)
        contract.transaction_price = last.transaction_price
        contract.reallocates = any(p.price != p.promise.stated for p in last.state.priced.values())
        existing[order.pk] = contract
    RevenueContract.objects.bulk_create(new)
    fields = ["version", "ends_on", "transaction_price", "reallocates"]
    RevenueContract.objects.bulk_update(changed, fields, batch_size=1000)
    return existing


def _write_obligations(
    drafts: Sequence[DraftContract], contracts: dict[int, RevenueContract]
) -> dict[int, Obligation]:
    """Insert and update the obligations, by order line."""
    found = {
        o.order_line_id: o for o in Obligation.objects.filter(contract__in=[c.pk for c in contracts.values()])
    }
    new, changed = [], []
    for d in drafts:
        last = d.versions[-1]
        for made in d.obligations:
            obligation = found.get(made.line.pk)
            if obligation is None:
                obligation = Obligation(
                    contract=contracts[d.facts.order.pk],
                    order_line=made.line,
                    treatment=made.treatment,
                    basis=made.basis,
                    balance_account=made.balance_account,
                    revenue_account=made.revenue_account,
                    description=made.line.description or made.line.sku.name,
                )
                new.append(obligation)
            else:
                changed.append(obligation)
            priced = last.state.priced.get(made.line.pk)
            obligation.starts_on, obligation.ends_on = made.starts_on, made.ends_on
            obligation.stated = priced.promise.stated if priced else ZERO
            obligation.ssp = priced.promise.ssp if priced else ZERO
            obligation.allocated = (priced.price if priced else ZERO) + last.credits.get(made.line.pk, ZERO)
            found[made.line.pk] = obligation
    Obligation.objects.bulk_create(new, batch_size=5000)
    fields = ["starts_on", "ends_on", "stated", "ssp", "allocated"]
    Obligation.objects.bulk_update(changed, fields, batch_size=1000)
    return found


def _allocations(
    version: DraftVersion, row: ContractVersion, obligations: dict[int, Obligation]
) -> list[Allocation]:
    """The prices of one version: of every fixed price, and of every line that was credited."""
    found = []
    for line, priced in version.state.priced.items():
        ssp = version.ssps.get(line, Ssp("kept"))
        found.append(
            Allocation(
                version=row,
                obligation=obligations[line],
                stated=priced.promise.stated,
                ssp=priced.promise.ssp,
                ssp_method=ssp.method,
                ssp_entries=list(ssp.entries),
                price=priced.price,
                credit=version.credits.get(line, ZERO),
                treatment=priced.treatment,
                rule=priced.rule,
                bands=bands_as_json(priced.promise.bands),
            )
        )
    for line, credit in version.credits.items():
        if line not in version.state.priced:
            found.append(
                Allocation(
                    version=row, obligation=obligations[line], stated=ZERO, ssp=ZERO, ssp_method="as_charged",
                    price=ZERO, credit=credit, treatment=Treatment.NONE, rule="as charged, less credits",
                )
            )  # fmt: skip
    return found


def _slices(
    version: DraftVersion, row: ContractVersion, obligations: dict[int, Obligation]
) -> list[ScheduleSlice]:
    plans = [
        *((line, ScheduleSlice.Kind.REVENUE, plan) for line, plan in version.plans.items()),
        *((line, ScheduleSlice.Kind.CREDIT, plan) for line, plan in version.credit_plans.items()),
    ]
    return [
        ScheduleSlice(
            version=row, obligation=obligations[line], month=part.month, kind=kind, amount=part.amount
        )
        for line, kind, plan in plans
        for part in plan
    ]
