"""What can happen on a day: each act of the language through the service that people and machines use."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from billing.models import BillRun, Invoice
from billing.services import (
    applications,
    credit_memos,
    findings,
    grants,
    invoices,
    metering,
    posting,
    receipts,
    retractions,
    runs,
)
from o2c.access.system import system_actor
from o2c.errors import Conflict, InvalidInput
from o2c.ledger.models import AccountingPeriod, Journal
from o2c.scenarios import stage as staging
from o2c.scenarios.acts import (
    AddLine,
    Bill,
    Cancel,
    ChangePlan,
    ChangePrice,
    ChangeQuantity,
    Credit,
    Expire,
    GrantCredit,
    Happening,
    Judge,
    Months,
    NewPrice,
    Override,
    PauseBlock,
    Pay,
    Reach,
    Redeem,
    Renew,
    Resume,
    Retract,
    TransferBlock,
    UndoBlock,
    Use,
    UseCredit,
    Void,
)
from o2c.scenarios.agreeing import agreed, decided, promoted
from o2c.scenarios.cast import REASON
from o2c.scenarios.language import ListPrice
from o2c.scenarios.stage import Stage
from orders.models import Amendment, Coupon, OrderLine
from orders.services import adjustments, amendments, coupons, milestones
from revenue.models import ContractVersion, Obligation
from revenue.selectors.checklist import unanswered
from revenue.services import close as closing
from revenue.services import exports, judgements, recognition

ONE_DAY = dt.timedelta(days=1)


def perform(stage: Stage, happening: Happening) -> None:
    """Do what the happening says. Raises DomainError when a service refuses it."""
    ACTS[happening.act](stage, happening, getattr(happening, happening.act))


def _reason(happening: Happening) -> str:
    return happening.reason or REASON


def _bill(stage: Stage, happening: Happening, bill: Bill) -> None:
    """A bill run by two people; its findings are looked at."""
    cast = stage.cast
    run = runs.plan(
        entity_id=stage.entity.pk,
        through=(bill.through or happening.on) + ONE_DAY,
        issue_on=happening.on,
        kind=BillRun.Kind.THRESHOLD if bill.thresholds else BillRun.Kind.REGULAR,
        actor=cast.biller,
        reason=REASON,
    )
    run = runs.calculate(run.pk, actor=cast.biller, reason=REASON)
    refused = run.findings.filter(code="cannot_rate").first()
    if refused is not None:
        raise Conflict(refused.message, record=run.number)
    findings.acknowledge_all(run.pk, actor=cast.biller, reason="Looked at")
    runs.release(run.pk, actor=cast.approver, reason=REASON)
    posting.post(run.pk, actor=cast.biller, reason=REASON)


def _use(stage: Stage, happening: Happening, usage: Sequence[Use]) -> None:
    """Usage events, received when the day of the happening is over: in UTC and in the deals' time zones."""
    end_of_day = dt.datetime.combine(happening.on, dt.time(23, 59, 59))
    noon = dt.datetime.combine(happening.on, dt.time(12))
    received = end_of_day.replace(tzinfo=dt.UTC)
    events = []
    for position, one in enumerate(usage):
        zone = ZoneInfo(stage.order(one.deal).time_zone)
        received = max(received, end_of_day.replace(tzinfo=zone))
        at = one.at or noon
        event: dict[str, Any] = {
            "id": one.id or f"{happening.at_line}-{position}",
            "customer": stage.customer.number,
            "meter": stage.code(one.sku),
            "time": (at if at.tzinfo else at.replace(tzinfo=zone)).isoformat(),
            "quantity": f"{one.quantity:f}",
            "key": _key(stage, one),
        }
        if one.dimensions:
            event["dimensions"] = dict(one.dimensions)
        if one.subject:
            event["subject"] = one.subject
        events.append(event)
    metering.ingest_events(
        f"scenario-{stage.tag}", events, actor=stage.cast.metering, as_of=received, reason=REASON
    )


def _retract(stage: Stage, happening: Happening, retract: Retract) -> None:
    retractions.retract(
        f"scenario-{stage.tag}",
        [{"id": f"retraction-{happening.at_line}", "retracts": retract.id}],
        actor=stage.cast.metering,
        reason=_reason(happening),
    )


def _grant(stage: Stage, happening: Happening, grant: GrantCredit) -> None:
    promoted(
        stage.cast,
        customer=stage.customer.pk,
        amount=grant.amount,
        starts_on=grant.start or happening.on,
        ends_on=grant.until,
        priority=grant.priority,
        skus=",".join(stage.code(sku) for sku in grant.skus),
        reason=_reason(happening),
    )


def _expire(stage: Stage, happening: Happening, act: Expire) -> None:
    """What happens every night, on this one."""
    grants.expire(happening.on, customer_ids=[stage.customer.pk], actor=system_actor("system"), reason=REASON)


def _reach(stage: Stage, happening: Happening, reach: Reach) -> None:
    what: dict[str, Any] = {
        "line": stage.line(reach.deal, reach.line).pk,
        "milestone": reach.milestone,
        "actor": stage.cast.activator,
        "reason": _reason(happening),
    }
    order = stage.order(reach.deal).pk
    if reach.taken_back:
        milestones.retract(order, **what)
    else:
        milestones.record(order, reached_on=happening.on, as_of=happening.on, **what)


def _key(stage: Stage, one: Use) -> str:
    """The key by which the event finds its line; a line that the deal does not have leaves it unmatched."""
    lines = OrderLine.objects.filter(order=stage.order(one.deal), sku__code=stage.code(one.sku))
    if one.line or lines.count() != 1:
        return stage.usage_key(one.deal, one.line or one.sku)
    return lines.get().usage_key


def _amend(
    stage: Stage,
    happening: Happening,
    deal: str,
    kind: str,
    changes: dict[str, Any],
    effective_on: dt.date | None = None,
) -> None:
    """An amendment: drafted by one person, applied by another."""
    drafted = amendments.draft(
        stage.order(deal).pk,
        kind=kind,
        effective_on=effective_on or happening.on,
        changes=changes,
        as_of=happening.on,
        actor=stage.cast.seller,
        reason=_reason(happening),
    )
    said: dict[str, Any] = {
        "as_of": happening.on,
        "actor": stage.cast.activator,
        "reason": _reason(happening),
    }
    agreed(
        stage.cast,
        amendments.act_of(drafted),
        drafted.pk,
        lambda: amendments.ask(drafted.pk, **said),
        lambda: amendments.apply(drafted.pk, **said),
    )


def _until(day: dt.date | None) -> dict[str, str]:
    return {"until": day.isoformat()} if day else {}


def _change_quantity(stage: Stage, happening: Happening, change: ChangeQuantity) -> None:
    item: dict[str, Any] = {"line": stage.line(change.deal, change.line).pk}
    if change.to is not None:
        item["quantity"] = f"{change.to:f}"
    if change.by is not None:
        item["delta"] = f"{change.by:f}"
    changes = {"lines": [item], **_until(change.until)}
    _amend(stage, happening, change.deal, "quantity", changes, change.start)


def _change_price(stage: Stage, happening: Happening, change: ChangePrice) -> None:
    line = stage.line(change.deal, change.line)
    item: dict[str, Any] = {"line": line.pk}
    if change.price is not None:
        item["override"] = staging.spec(stage, change.price)
    if change.list_price:
        sku = stage.spoken(line.sku.code)
        item["price"] = staging.list_price(stage, sku, change.start or happening.on).pk
    if change.discount_percent is not None:
        item["discount_percent"] = f"{change.discount_percent:f}"
    changes = {"lines": [item], **_until(change.until)}
    _amend(stage, happening, change.deal, "price", changes, change.start)


def _override(stage: Stage, happening: Happening, override: Override) -> None:
    """Of the deal that is named, else of the customer: drafted by one person, activated by another."""
    drafted = adjustments.draft(
        customer=stage.customer.pk,
        order=stage.order(override.deal).pk if override.deal else None,
        sku=stage.code(override.sku) if override.sku else "",
        dimensions=override.dimensions,
        method=override.method,
        value=override.value,
        spec=override.price,
        starts_on=override.start or happening.on,
        ends_on=override.until,
        actor=stage.cast.desk,
        reason=_reason(happening),
    )
    cast, why = stage.cast, _reason(happening)
    agreed(
        cast,
        "orders.adjustment.activate",
        drafted.pk,
        lambda: adjustments.ask(drafted.pk, actor=cast.desk, reason=why),
        lambda: adjustments.activate(drafted.pk, actor=cast.approver, reason=why),
    )


def _redeem(stage: Stage, happening: Happening, redeem: Redeem) -> None:
    line = stage.line(redeem.deal, redeem.line)
    coupon = coupons.create(
        code=f"C{happening.at_line}-{stage.tag}",
        method=redeem.method,
        value=redeem.value,
        currency=stage.entity.currency if redeem.method == Coupon.Method.AMOUNT_OFF else "",
        periods=redeem.periods,
        actor=stage.cast.controller,
        reason=REASON,
    )
    decided(stage.cast, coupons.ask(coupon.pk, actor=stage.cast.controller, reason=REASON))
    coupons.redeem(
        stage.order(redeem.deal).pk,
        code=coupon.code,
        line=line.pk,
        redeemed_on=happening.on,
        actor=stage.cast.seller,
        reason=_reason(happening),
    )


def _change_plan(stage: Stage, happening: Happening, change: ChangePlan) -> None:
    item: dict[str, Any] = {
        "line": stage.line(change.deal, change.line).pk,
        "sku": stage.code(change.sku),
        "discount_percent": f"{change.discount_percent:f}",
    }
    if change.quantity is not None:
        item["quantity"] = f"{change.quantity:f}"
    if change.price is not None:
        item["override"] = staging.spec(stage, change.price)
    _amend(stage, happening, change.deal, "plan", {"lines": [item]}, change.start)


def _lines(stage: Stage, deal: str, labels: Sequence[str]) -> dict[str, Any]:
    return {"lines": [stage.line(deal, label).pk for label in labels]} if labels else {}


def _pause(stage: Stage, happening: Happening, pause: PauseBlock) -> None:
    changes = {**_lines(stage, pause.deal, pause.lines), **_until(pause.until)}
    _amend(stage, happening, pause.deal, "pause", changes, pause.start)


def _resume(stage: Stage, happening: Happening, resume: Resume) -> None:
    _amend(stage, happening, resume.deal, "resume", _lines(stage, resume.deal, resume.lines), resume.start)


def _transfer(stage: Stage, happening: Happening, transfer: TransferBlock) -> None:
    other = staging.buyer(stage.scenario, stage.entity, transfer.to, stage.cast)
    _amend(stage, happening, transfer.deal, "transfer", {"customer": other.number}, transfer.start)


def _undo(stage: Stage, happening: Happening, undo: UndoBlock) -> None:
    _amend(stage, happening, undo.deal, "undo", {"amendment": undo.amendment})


def _add_line(stage: Stage, happening: Happening, line: AddLine) -> None:
    item: dict[str, Any] = {
        "sku": stage.code(line.sku),
        "quantity": f"{line.quantity:f}",
        "discount_percent": f"{line.discount_percent:f}",
        "timing": line.timing,
        "frequency": line.frequency,
        "usage_key": stage.usage_key(line.deal, line.name or line.sku),
    }
    if line.price is not None:
        item["override"] = staging.spec(stage, line.price)
    if line.until is not None:
        item["ends_on"] = line.until.isoformat()
    _amend(stage, happening, line.deal, "add_line", {"lines": [item]}, line.start)


def _cancel(stage: Stage, happening: Happening, cancel: Cancel) -> None:
    changes = {"mode": cancel.mode, **_lines(stage, cancel.deal, cancel.lines)}
    _amend(stage, happening, cancel.deal, "cancel", changes, cancel.start)


def _renew(stage: Stage, happening: Happening, renew: Renew) -> None:
    changes = {
        "term_months": renew.months,
        "uplift_percent": f"{renew.uplift_percent:f}",
        "reprice": renew.reprice,
    }
    _amend(stage, happening, renew.deal, "renew", changes)


def _list_price(stage: Stage, happening: Happening, new: NewPrice) -> None:
    one = ListPrice(price=new.price, start=new.start or happening.on, per=new.per)
    staging.activate_prices(stage, [staging.price_input(stage, new.sku, one, happening.on)])


def _pay(stage: Stage, happening: Happening, pay: Pay) -> None:
    """Money received, and applied: to the invoice that is named, or as the matching rules are certain."""
    cast = stage.cast
    named = document(stage, pay.invoice) if pay.invoice is not None else None
    receipt = receipts.record(
        entity_id=stage.entity.pk,
        customer_id=stage.customer.pk,
        currency=stage.entity.currency,
        amount=pay.amount,
        received_on=happening.on,
        reference=pay.reference,
        actor=cast.receiver,
        reason=REASON,
    )
    if named is None:
        receipts.apply_proposal(receipt.pk, applied_on=happening.on, actor=cast.cash, reason=REASON)
    else:
        part = min(pay.amount, named.open_amount)
        receipts.apply(
            receipt.pk, [(named.pk, part)], applied_on=happening.on, actor=cast.cash, reason=REASON
        )


def _credit(stage: Stage, happening: Happening, credit: Credit) -> None:
    """A credit memo, drafted by one person and posted by another."""
    invoice = document(stage, credit.invoice)
    rows = {line.position: line.pk for line in invoice.lines.all()}
    lines: dict[int, Decimal] | None = None
    if credit.lines:
        missing = [part.line for part in credit.lines if part.line not in rows]
        if missing:
            raise InvalidInput(f"Invoice {credit.invoice} has no line {missing[0]}")
        lines = {rows[part.line]: part.net for part in credit.lines}
    memo = credit_memos.draft(
        invoice.pk,
        reason_code=credit.because,
        issue_date=happening.on,
        lines=lines,
        actor=stage.cast.biller,
        reason=_reason(happening),
    )
    invoices.post(memo.pk, actor=stage.cast.approver, reason=_reason(happening))


def _use_credit(stage: Stage, happening: Happening, use: UseCredit) -> None:
    applications.apply_credit(
        document(stage, use.credit, credit=True).pk,
        [(document(stage, use.invoice).pk, use.amount)],
        applied_on=happening.on,
        actor=stage.cast.cash,
        reason=REASON,
    )


def _void(stage: Stage, happening: Happening, void: Void) -> None:
    invoices.void(document(stage, void.invoice).pk, actor=stage.cast.approver, reason=_reason(happening))


def _judge(stage: Stage, happening: Happening, judge: Judge) -> None:
    """The treatment of an amendment, by default the last: proposed by one person, approved by another."""
    applied = Amendment.objects.filter(order=stage.order(judge.deal), state=Amendment.State.APPLIED)
    if judge.amendment is not None:
        applied = applied.filter(number=judge.amendment)
    amendment = applied.order_by("number").last()
    if amendment is None:
        raise InvalidInput(f"The deal has no amendment {judge.amendment or ''}".rstrip())
    obligation = Obligation.objects.get(order_line=stage.line(judge.deal, judge.line))
    version = ContractVersion.objects.get(
        contract=obligation.contract_id, source=f"{judgements.AMENDMENT}{amendment.pk}"
    )
    proposed = judgements.propose(
        version.pk,
        obligations=[obligation.pk],
        treatment=judge.treatment,
        remaining_distinct=judge.distinct,
        price_support=judge.price_support,
        memo=_reason(happening),
        support=REASON,
        actor=stage.cast.accountant,
    )
    judgements.approve(proposed.pk, actor=stage.cast.approver, reason=_reason(happening))


def _recognise(stage: Stage, happening: Happening, act: Months) -> None:
    recognition.run(stage.entity.pk, act.month, actor=stage.cast.accountant, reason=REASON)


def _close(stage: Stage, happening: Happening, act: Months) -> None:
    """Revenue, export to the general ledger, tie-outs with what differs explained, two signatures."""
    cast = stage.cast
    recognition.run(stage.entity.pk, act.month, actor=cast.accountant, reason=REASON)
    period = AccountingPeriod.objects.get(entity=stage.entity, name=act.month)
    if Journal.objects.filter(period=period, gl_export__isnull=True).exists():
        exports.build(period.pk, actor=cast.accountant, reason=REASON)
    run = closing.start(period.pk, actor=cast.accountant, reason=REASON)
    run = closing.run_tie_outs(run.pk, actor=cast.accountant, reason=REASON)
    for answer in unanswered(run):
        closing.explain(run.pk, code=answer.code, actor=cast.accountant, reason="Known in the scenario")
    closing.prepare(run.pk, actor=cast.accountant, reason=REASON)
    closing.lock(run.pk, actor=cast.controller, reason=REASON)


def documents(stage: Stage, *, credit: bool = False) -> list[Invoice]:
    """Posted and voided documents by date, act and deal: invoices, or credit memos."""
    rows = Invoice.objects.filter(entity=stage.entity).exclude(state=Invoice.State.DRAFT)
    memos = {"kind": Invoice.Kind.CREDIT_MEMO}
    rows = rows.filter(**memos) if credit else rows.exclude(**memos)
    return list(rows.order_by("issue_date", "posted_at", "order__pk", "pk"))


def document(stage: Stage, number: int, *, credit: bool = False) -> Invoice:
    """The first, second, … invoice or credit memo."""
    rows = documents(stage, credit=credit)
    if not 1 <= number <= len(rows):
        what = "credit memo" if credit else "invoice"
        raise InvalidInput(f"There is no {what} {number}: so far there are {len(rows)}")
    return rows[number - 1]


ACTS: dict[str, Callable[[Stage, Happening, Any], None]] = {
    "bill": _bill,
    "use": _use,
    "retract": _retract,
    "grant": _grant,
    "expire": _expire,
    "reach": _reach,
    "change_quantity": _change_quantity,
    "change_price": _change_price,
    "override": _override,
    "redeem": _redeem,
    "change_plan": _change_plan,
    "pause": _pause,
    "resume": _resume,
    "transfer": _transfer,
    "undo": _undo,
    "add_line": _add_line,
    "cancel": _cancel,
    "renew": _renew,
    "list_price": _list_price,
    "pay": _pay,
    "credit": _credit,
    "use_credit": _use_credit,
    "void": _void,
    "judge": _judge,
    "recognise": _recognise,
    "close": _close,
}
