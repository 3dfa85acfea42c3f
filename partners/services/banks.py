"""The account that a channel pays us from, and what our bank says of its payments."""

from datetime import date
from decimal import Decimal

from o2c import locks
from o2c.access import require
from o2c.access.services import reads
from o2c.actor import Actor, acting
from o2c.controls import approvals
from o2c.errors import Conflict, InvalidInput, NotFound
from o2c.money import quantize
from o2c.vault import opened
from partners.models import BankCredit, Channel
from partners.policies import BANK


def change(
    pk: int,
    *,
    bank_name: str,
    bank_account: str,
    bank_routing: str = "",
    swift: str = "",
    actor: Actor,
    reason: str = "",
) -> Channel:
    """Change a partner's bank details. Only as an approved request does it, after its cooling-off."""
    with acting(actor, reason=reason):
        channel: Channel = locks.row(Channel, pk)
        require(actor, "partners.bank.maintain", record=channel.name)
        channel.bank_name, channel.bank_account = bank_name, bank_account
        channel.bank_routing, channel.swift = bank_routing, swift
        channel.save(update_fields=list(BANK))
        approvals.gate("partners.bank.change", [pk])
        return channel


def reveal(pk: int, *, actor: Actor, reason: str = "") -> dict[str, str]:
    """The bank details of a partner in clear; that somebody read them is recorded, and why.

    Raises InvalidInput without a reason.
    """
    with acting(actor, reason=reason):
        channel = Channel.objects.filter(pk=pk).first()
        if channel is None:
            raise NotFound(f"There is no channel {pk}")
        require(actor, "partners.bank.reveal", record=channel.name)
        if not reason.strip():
            raise InvalidInput("Say why", record=channel.name, fields={"reason": ["is missing"]})
        shown = {name: opened(getattr(channel, name)) for name in BANK}
        reads.record(reads.REVEAL, f"bank details of {channel.code}", 1, actor=actor, reason=reason)
        return shown


def record_credit(
    *,
    channel: Channel,
    bank_trace_id: str,
    amount: Decimal,
    currency: str,
    value_date: date,
    payer_account: str,
    actor: Actor,
    reason: str = "",
) -> BankCredit:
    """Record a line of our bank statement that pays a disbursement. It posts nothing: the feed does.

    The same line again returns the row that is held. Raises Conflict when the statement says otherwise now,
    and InvalidInput for an amount that is not positive or has more digits than its currency.
    """
    with acting(actor, reason=reason or f"bank statement of {value_date}"):
        locks.row(Channel, channel.pk)
        require(actor, "partners.bank.record_credit", record=bank_trace_id)
        if amount <= 0 or amount != quantize(amount, currency):
            raise InvalidInput(f"{amount} {currency} is no amount of a bank statement", record=bank_trace_id)
        held = BankCredit.objects.filter(channel=channel, bank_trace_id=bank_trace_id).first()
        if held is None:
            return BankCredit.objects.create(
                channel=channel,
                bank_trace_id=bank_trace_id,
                amount=amount,
                currency=currency,
                value_date=value_date,
                payer_account=payer_account,
            )
        said = (amount, currency, value_date, payer_account)
        if said != (held.amount, held.currency, held.value_date, opened(held.payer_account)):
            raise Conflict(
                f"It is recorded as {held.amount} {held.currency} of {held.value_date}",
                record=bank_trace_id,
                remedy="Check the statement; a line that the bank corrected has a trace of its own",
            )
        return held
