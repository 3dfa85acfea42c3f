"""The three months in their order."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import as_file, files
from typing import Protocol

from billing.services import tax
from o2c.demo.plan import company
from o2c.demo.plan.deals import DealPlan, deals
from o2c.demo.real import Trace
from o2c.demo.walk import (
    billing,
    books,
    foundation,
    marketplace,
    metering,
    morning,
    provisioning,
    refunds,
    requests,
    selling,
)
from o2c.demo.walk.cast import Cast
from o2c.ledger.models import LegalEntity
from o2c.periods import add_months
from revenue.models import CloseRun

Advance = Callable[[int], None]


@dataclass(frozen=True)
class Scale:
    """How large the company is and how far it walks: `months` of the three, `events` in all of them."""

    customers: int = 300
    events: int = 500_000
    months: int = 3
    seed: int = 1

    @property
    def spans(self) -> list[tuple[dt.date, dt.date]]:
        return list(zip(company.MONTHS, company.MONTHS[1:], strict=False))[: self.months]


class Report(Protocol):
    """Where the walk shows how far it is."""

    def step(self, label: str, total: int | None = None) -> Advance:
        """A step begins; call what it returns with each number of units done."""


def begin(scale: Scale, password: str, report: Report) -> tuple[Cast, dict[str, LegalEntity], list[DealPlan]]:
    """People, companies, catalogue and the contracts, active and provisioned."""
    report.step("People, legal entities, rates and catalogue")
    foundation.people(password)
    cast = Cast.load()
    entities = foundation.entities(cast.carla)
    foundation.rates(cast.carla, scale.seed)
    with as_file(files("o2c.demo.plan") / "tax_rates.csv") as path:
        tax.load(path, actor=cast.mara, reason=foundation.REASON)
    selling.build_catalogue(cast)
    plans = list(deals(scale.seed, scale.customers))
    advance = report.step("Signed deals to active orders", len(plans))
    selling.sell(cast, plans, advance)
    advance(0)
    report.step("Revenue contracts and entitlements")
    waiting = provisioning.waiting()
    provisioning.provision(report.step("Entitlements at the provisioning service", waiting))
    return cast, entities, plans


def month(
    scale: Scale,
    cast: Cast,
    entities: dict[str, LegalEntity],
    plans: list[DealPlan],
    span: tuple[dt.date, dt.date],
    market: marketplace.Aws,
    report: Report,
) -> None:
    """One month: bill what is due on the 1st and the 16th, meter, amend, collect, close."""
    since, until = span
    name = f"{since:%Y-%m}"
    middle = since.replace(day=16)
    changes = [c for deal in plans for c in deal.amendments if since <= c.agreed_on < until]
    advance = report.step(f"{name}: bill runs of the 1st", len(entities))
    for entity in entities.values():
        billing.bill(cast, entity, since)
        advance(1)
    selling.amend(cast, plans, since, until, report.step(f"{name}: amendments", len(changes)))
    waiting = provisioning.waiting()
    provisioning.provision(report.step(f"{name}: changed entitlements", waiting))
    metering.meter(
        cast, plans, seed=scale.seed, since=since, until=until, received_by=until, total=scale.events // 3,
        advance=report.step(f"{name}: usage events", scale.events // 3),
    )  # fmt: skip
    hours = report.step(f"{name}: hours metered to AWS Marketplace")
    marketplace.meter(cast, since, until, market, hours)
    advance = report.step(f"{name}: bill runs of the 16th", len(entities))
    for entity in entities.values():
        billing.bill(cast, entity, middle)
        advance(1)
    billing.deliver(report.step(f"{name}: invoices as PDF by e-mail", billing.waiting_documents()))
    billing.collect(cast, since, until, scale.seed, report.step(f"{name}: receipts"))
    marketplace.settle(cast, until - dt.timedelta(days=1), market)
    closing = report.step(f"{name}: revenue, tie-outs, close", len(entities))
    for entity in entities.values():
        books.close(cast, entity, name)
        closing(1)


def finished(scale: Scale) -> bool:
    """Whether the walk has closed all its months and laid out what waits on the morning after them."""
    return all(is_closed(since) for since, _ in scale.spans) and billing.is_proposed(scale.spans[-1][1])


def is_closed(since: dt.date) -> bool:
    """Whether every legal entity has locked the month that begins on this day."""
    locked = CloseRun.objects.filter(state=CloseRun.State.LOCKED, period__starts_on=since)
    return locked.count() == len(company.ENTITIES)


def walk(scale: Scale, password: str, report: Report, trace: Trace | None = None) -> None:
    """From an empty company to closed months, and the work that waits on the first day after them."""
    cast, entities, plans = begin(scale, password, report)
    if trace is not None:
        report.step("The trace's prices and contract")
        trace.sell(cast, scale.spans[0][0])
        trace.meter(cast, report.step("Requests of the trace"))
    with marketplace.aws() as market:
        marketplace.subscribe(cast, entities["US"], market)
        for span in [span for span in scale.spans if not is_closed(span[0])]:
            month(scale, cast, entities, plans, span, market, report)
    today = scale.spans[-1][1]
    advance = report.step("What waits on the next morning", 4 + morning.STEPS)
    billing.dispute(cast, today)
    advance(1)
    morning.work(cast, today, advance)
    requests.ask(cast, today)
    advance(1)
    refunds.lay_out(cast, today)
    advance(1)
    billing.propose(cast, entities["US"], today)
    advance(1)


def bill_trace(scale: Scale, trace: Trace, report: Report) -> None:
    """Bill a trace to a company whose months are closed: a further contract, invoiced in the open month.

    Does nothing when the trace was billed before, in the walk or here.
    """
    since = scale.spans[-1][1]
    until = add_months(since, 1)
    buyer = trace.buyer()
    if trace.sold_from() not in (None, since) or (buyer and billing.is_billed(buyer, until)):
        return
    cast = Cast.load()
    report.step("The trace's prices and contract")
    customer = trace.sell(cast, since)
    trace.meter(cast, report.step("Requests of the trace"))
    report.step("The bill run of the trace")
    entity = LegalEntity.objects.get(code="US")
    billing.bill(cast, entity, until - dt.timedelta(days=1), customer=customer)
    billing.deliver(report.step("Its invoice as PDF by e-mail", billing.waiting_documents()))
