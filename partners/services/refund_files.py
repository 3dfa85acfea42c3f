"""Approved refunds handed to AWS as a file for its billing adjustment tool, and its answers read back in.

The file is on record, byte for byte, before anybody can take it away; what AWS did with it comes back as the
tool's output. Making a file for what is in one already is refused; reading an answer in again changes
nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from django.db.models import Max

from o2c import clock, locks
from o2c.access import require
from o2c.actor import Actor, acting
from o2c.documents import store
from o2c.errors import Conflict, InvalidInput
from partners.domain import refund_file as format_
from partners.models import AgreementIdentity, MarketplaceRefund, RefundFile
from partners.selectors.refunds import refundable

MEDIA_TYPE = "text/csv"
REMEMBERED = timedelta(hours=8)
"""How long AWS's tool answers a second request for the same agreement and invoice with the first one."""
State = MarketplaceRefund.State


def submit(pk: int, *, actor: Actor, reason: str = "") -> RefundFile:
    """A file with this refund alone."""
    return submit_many([pk], actor=actor, reason=reason)


def submit_many(
    pks: Sequence[int], *, actor: Actor, reason: str = "", as_of: datetime | None = None
) -> RefundFile:
    """One file with these approved refunds, which are with AWS from now on.

    Raises Conflict for one that is not approved, and for a second refund of the same agreement and invoice
    within eight hours: AWS's tool would answer it with the first and give nothing. Raises InvalidInput for a
    currency or a buyer that the file cannot say.
    """
    as_of = as_of or clock.now()
    with acting(actor, reason=reason or "refunds for AWS"):
        require(actor, "partners.refund.submit")
        rows = list(locks.rows(MarketplaceRefund, pks))
        if not rows:
            raise InvalidInput("A file holds at least one refund")
        _refuse_twice(rows, as_of)
        channel = rows[0].agreement.channel
        if any(row.agreement.channel_id != channel.pk for row in rows):
            raise InvalidInput("A file is for one channel", remedy="Make one for each")
        content = format_.request([_asked(row) for row in sorted(rows, key=lambda row: row.pk)])
        name = f"refunds-{as_of:%Y%m%d-%H%M%S}-{rows[0].number}.csv"
        file = RefundFile.objects.create(
            channel=channel, document=store.put(content.encode(), MEDIA_TYPE, name), made_at=as_of
        )
        for row in rows:
            row.submit()
            row.file = file
        MarketplaceRefund.objects.bulk_update(rows, ["state", "file"])
        return file


def _refuse_twice(rows: Sequence[MarketplaceRefund], as_of: datetime) -> None:
    seen: set[tuple[int, str]] = set()
    lately = {
        (row["agreement"], row["invoice_ref"]): row["last"]
        for row in MarketplaceRefund.objects.filter(
            agreement__in={row.agreement_id for row in rows}, file__made_at__gt=as_of - REMEMBERED
        )
        .values("agreement", "invoice_ref")
        .annotate(last=Max("file__made_at"))
        .order_by()
    }
    for row in rows:
        key = (row.agreement_id, row.invoice_ref)
        if key in seen or key in lately:
            until = lately.get(key, as_of) + REMEMBERED
            raise Conflict(
                "AWS would answer it with an earlier refund of the same invoice and give nothing",
                record=str(row),
                remedy=f"Make its file after {until:%Y-%m-%d %H:%M} UTC",
            )
        seen.add(key)


def _asked(row: MarketplaceRefund) -> format_.Asked:
    agreement = row.agreement
    identity = AgreementIdentity.objects.filter(agreement=agreement).order_by("-pk").first()
    if row.currency != format_.CURRENCY:
        raise InvalidInput(
            f"AWS's file takes {format_.CURRENCY}", record=str(row), remedy="Ask AWS's support"
        )
    if identity is None or not (identity.agreement_ref and identity.aws_account_id and identity.product_id):
        raise InvalidInput(
            "The buyer's account, product and agreement id at AWS are not all known",
            record=agreement.number,
            remedy="Record its ids on the agreement's page",
        )
    invoiced_on: date | None = refundable(agreement.pk, row.invoice_ref).invoiced_on
    if invoiced_on is None:
        raise Conflict("AWS's feed does not show the invoice any more", record=str(row))
    return format_.Asked(
        seller_id=agreement.channel.seller_account,
        aws_account_id=identity.aws_account_id,
        invoice_id=row.invoice_ref,
        product_code=identity.product_id,
        month=invoiced_on,
        amount=row.amount,
        agreement_id=identity.agreement_ref,
    )


@dataclass
class Read:
    """What an answer said: carried out, refused, known or still pending, and rows that are not ours."""

    completed: int = 0
    rejected: int = 0
    unchanged: int = 0
    unknown: list[str] = field(default_factory=list)


def read_answers(text: str, *, actor: Actor, reason: str = "") -> Read:
    """Read the tool's output in. Raises InvalidInput, and takes nothing, when it is no output of the tool."""
    try:
        answers = format_.answers(text)
    except format_.AnswerRefused as problem:
        raise InvalidInput(str(problem), remedy="Give the output file of AWS's tool as it is") from problem
    summary = Read()
    with acting(actor, reason=reason or "answers of AWS"):
        require(actor, "partners.refund.submit")
        for answer in answers:
            _take(answer, summary)
    return summary


def _take(answer: format_.Answer, summary: Read) -> None:
    agreements = AgreementIdentity.objects.filter(agreement_ref=answer.agreement_id).values("agreement")
    ours = list(
        MarketplaceRefund.objects.select_for_update(of=("self",))
        .filter(
            agreement__in=agreements,
            invoice_ref=answer.invoice_id,
            amount=answer.amount,
            file__isnull=False,
        )
        .order_by("pk")
    )
    if any(answer.request_id and row.adjustment_ref == answer.request_id for row in ours):
        summary.unchanged += 1
        return
    earlier = (
        MarketplaceRefund.objects.filter(adjustment_ref=answer.request_id).exclude(adjustment_ref="").first()
    )
    done = answer.status == format_.COMPLETED and earlier is None
    refusal = f"Answered with {earlier}, which it is not" if earlier else answer.message
    # The feed may have confirmed it before the answer is read in; what it shows was not refused.
    wanted = (State.SUBMITTED, State.CONFIRMED) if done else (State.SUBMITTED,)
    row = next((row for row in ours if row.state in wanted and not row.adjustment_ref), None)
    told = not done and any(row.state == State.REJECTED and row.answer == refusal for row in ours)
    if answer.status == format_.PENDING or (row is None and told):
        summary.unchanged += 1
    elif row is None:
        summary.unknown.append(f"{answer.agreement_id} {answer.invoice_id} {answer.amount}")
    elif done:
        row.adjustment_ref = answer.request_id
        row.save()
        summary.completed += 1
    else:
        _rejected(row, refusal)
        summary.rejected += 1


def reject(pk: int, *, actor: Actor, reason: str = "") -> MarketplaceRefund:
    """Say that AWS did not carry it out, where no file says so. The reason names AWS's answer."""
    with acting(actor, reason=reason):
        row: MarketplaceRefund = locks.row(MarketplaceRefund, pk)
        require(actor, "partners.refund.submit", record=str(row))
        if not reason.strip():
            raise InvalidInput("Say what AWS answered", record=str(row), fields={"reason": ["is missing"]})
        _rejected(row, reason)
        return row


def _rejected(row: MarketplaceRefund, answer: str) -> None:
    row.reject()
    row.answer = answer
    row.save()
