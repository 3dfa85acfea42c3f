"""Specimens of revenue for the self-test: a closed month, a prepared one, judgements of a modification."""

from __future__ import annotations

from decimal import Decimal

from o2c.controls import approvals
from o2c.controls.selftest.ways import job
from o2c.controls.selftest.world import REASON, Subject, World
from o2c.ledger.models import AccountingPeriod, Journal
from o2c.periods import add_months
from orders.models import Order
from orders.services import amendments, orders
from orders.services.inputs import LineInput, OrderInput, TermsInput
from revenue.models import CloseRun, RevenueContract, TreatmentJudgement
from revenue.selectors.checklist import unanswered
from revenue.services import close, contracts, exports, judgements, recognition, ssp

IDLE = {
    "task revenue.build_missing": "takes no argument; builds what events missed, in the product's own name"
}


def build(world: World) -> None:
    world.signed["revenue.closerun", "locked"] = {
        "reviewed_by_id": "o2c_actor()",
        "reviewed_at": "statement_timestamp()",
    }
    for state in ("approved", "rejected"):
        world.signed["revenue.treatmentjudgement", state] = {"decided_by_id": "o2c_actor()"}
    world.signed["revenue.closerun", "reopened"] = {
        "reopened_by_id": "o2c_actor()",
        "reopened_at": "statement_timestamp()",
    }
    cheaper = _cheaper(world)
    ids = [world.records["order"].pk, cheaper.pk]
    contracts.build(ids, actor=world.person("revenue_accounting"), reason=REASON)
    _prices(world)
    first, second = world.records["entity"].periods.order_by("starts_on")[:2]
    closed = _prepared(world, first)
    close.lock(closed.pk, actor=world.person("controller"), reason=REASON)
    close.ask_reopen(closed.pk, actor=world.person("revenue_accounting"), reason=REASON)
    world.subjects["revenue.close.reopen"] = Subject(
        closed.pk,
        world.person("revenue_accounting"),
        world.person("approver"),
        by_hand="UPDATE revenue_closerun SET state = 'reopened', reopened_by_id = o2c_actor(),"
        " reopened_at = statement_timestamp() WHERE id = %s",
        others=(world.person("controller"),),
    )
    _prepared(world, second)
    world.ways.append(
        job("revenue.recognise", "revenue.recognition.run", entity_id=first.entity_id, period=second.name)
    )
    _judgements(world, cheaper)


def _cheaper(world: World) -> Order:
    """A large order whose price falls by half after a month, so that its treatment moves much."""
    clerk, manager = world.person("order_entry"), world.person("order_management")
    known = world.records["order"]
    order = orders.create_draft(
        OrderInput(
            customer=known.customer_id,
            starts_on=world.month,
            ends_on=add_months(world.month, 12),
            lines=(LineInput(known.lines.get().sku.code, Decimal(20000)),),
            terms=TermsInput(time_zone="UTC"),
        ),
        actor=clerk,
        reason=REASON,
    )
    orders.sign(order.pk, signed_on=world.month, actor=clerk, reason=REASON)
    order = orders.activate(order.pk, as_of=world.month, actor=manager, reason=REASON)
    day = add_months(world.month, 1)
    drafted = amendments.draft(
        order.pk, kind="price", effective_on=day, as_of=day, actor=clerk, reason=REASON,
        changes={"lines": [{"line": order.lines.get().pk, "discount_percent": "50"}]},
    )  # fmt: skip
    asked = amendments.ask(drafted.pk, as_of=day, actor=manager, reason=REASON)
    for role in ("approver", "controller"):
        approvals.approve(asked.pk, actor=world.person(role), reason=REASON)
    return order


def _judgements(world: World, order: Order) -> None:
    """One that waits for approval; one that was withdrawn, and one rejected."""
    who, approver = world.person("revenue_accounting"), world.person("approver")

    def propose() -> TreatmentJudgement:
        contract = RevenueContract.objects.get(order=order)
        return judgements.propose(
            contract.versions.get(number=2).pk, obligations=[contract.obligations.get().pk],
            treatment="cumulative", remaining_distinct=False, memo=REASON, support=REASON,
            actor=who, reason=REASON,
        )  # fmt: skip

    judgements.withdraw(propose().pk, actor=who, reason=REASON)
    judgements.reject(propose().pk, actor=approver, reason=REASON)
    world.subjects["revenue.treatment.approve"] = Subject(
        propose().pk,
        who,
        approver,
        by_hand="UPDATE revenue_treatmentjudgement SET state = 'approved', decided_by_id = o2c_actor()"
        " WHERE id = %s",
        others=(world.person("controller"),),
    )


def _prices(world: World) -> None:
    sku = world.records["order"].lines.get().sku_id
    entries = [
        ssp.propose(
            sku_id=sku, currency="USD", unit_amount=Decimal(amount), evidence=REASON,
            effective_from=world.month.replace(year=world.month.year + years),
            actor=world.person("revenue_policy"), reason=REASON,
        )
        for years, amount in ((0, 40), (1, 40), (2, 30))
    ]  # fmt: skip
    ssp.approve(entries[1].pk, actor=world.person("controller"), reason=REASON)
    world.subjects["revenue.ssp.approve"] = Subject(
        entries[2].pk,
        world.person("revenue_policy"),
        world.person("approver"),
        by_hand="UPDATE revenue_sspentry b SET effective_to = n.effective_from FROM revenue_sspentry n"
        " WHERE n.id = %s AND b.sku_id = n.sku_id AND b.approved_by_id IS NOT NULL;"
        " UPDATE revenue_sspentry SET approved_by_id = o2c_actor() WHERE id = %s",
        edit="UPDATE revenue_sspentry SET evidence = evidence || '.' WHERE id = %s",
        others=(world.person("controller"),),
    )


def _prepared(world: World, period: AccountingPeriod) -> CloseRun:
    who = world.person("revenue_accounting")
    recognition.run(period.entity_id, period.name, actor=who, reason=REASON)
    if Journal.objects.filter(period=period, gl_export__isnull=True).exists():
        exports.build(period.pk, actor=who, reason=REASON)
    run = close.start(period.pk, actor=who, reason=REASON)
    run = close.run_tie_outs(run.pk, actor=who, reason=REASON)
    for answer in unanswered(run):
        close.explain(run.pk, code=answer.code, reason=REASON, actor=who)
    return close.prepare(run.pk, actor=who, reason=REASON)
