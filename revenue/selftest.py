"""Specimens of revenue for the self-test: a closed month and one that is prepared."""

from __future__ import annotations

from decimal import Decimal

from o2c.controls.selftest.world import REASON, World
from o2c.ledger.models import AccountingPeriod, Journal
from revenue.models import CloseRun
from revenue.selectors.checklist import unanswered
from revenue.services import close, contracts, exports, recognition, ssp


def build(world: World) -> None:
    world.signed["revenue.closerun", "locked"] = {
        "reviewed_by_id": "o2c_actor()",
        "reviewed_at": "statement_timestamp()",
    }
    world.signed["revenue.closerun", "reopened"] = {
        "reopened_by_id": "o2c_actor()",
        "reopened_at": "statement_timestamp()",
    }
    contracts.build([world.records["order"].pk], actor=world.person("revenue_accounting"), reason=REASON)
    _prices(world)
    first, second = world.records["entity"].periods.order_by("starts_on")[:2]
    closed = _prepared(world, first)
    close.lock(closed.pk, actor=world.person("controller"), reason=REASON)
    close.ask_reopen(closed.pk, actor=world.person("revenue_accounting"), reason=REASON)
    _prepared(world, second)


def _prices(world: World) -> None:
    sku = world.records["order"].lines.get().sku_id
    for start in (world.month, world.month.replace(year=world.month.year + 1)):
        entry = ssp.propose(
            sku_id=sku, currency="USD", unit_amount=Decimal(40), effective_from=start, evidence=REASON,
            actor=world.person("revenue_policy"), reason=REASON,
        )  # fmt: skip
    ssp.approve(entry.pk, actor=world.person("controller"), reason=REASON)


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
