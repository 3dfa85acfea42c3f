"""Asking for approval of billing's acts: the doors of the dialogs."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

from o2c.actor import Actor
from o2c.controls import approvals
from o2c.controls.approvals.models import Request


def promotion(*, customer: int, actor: Actor, reason: str = "", **fields: Any) -> Request:
    """Ask for promotional credit above what an approver gives alone; fields as in the dialog."""
    values = {name: value for name, value in fields.items() if value not in (None, "")}
    return approvals.submit("billing.grant.promote", customer, actor=actor, reason=reason, parameters=values)


def credit(pk: int, *, actor: Actor, reason: str = "") -> Request:
    """Ask for a drafted credit memo to be posted."""
    return approvals.submit("billing.credit.post", pk, actor=actor, reason=reason)


def refund(pk: int, *, actor: Actor, reason: str = "") -> Request:
    """Ask for a drafted refund to be released."""
    return approvals.submit("billing.refund.release", pk, actor=actor, reason=reason)


def release(pk: int, *, actor: Actor, reason: str = "") -> Request:
    """Ask for a calculated bill run to be released."""
    return approvals.submit("billing.run.release", pk, actor=actor, reason=reason)


def write_off(
    pk: int, *, amount: Decimal, applied_on: dt.date, reason_code: str, actor: Actor, reason: str = ""
) -> Request:
    """Ask for an amount of an invoice to be written off."""
    values = {"amount": amount, "applied_on": applied_on, "reason_code": reason_code}
    return approvals.submit("billing.writeoff.post", pk, actor=actor, reason=reason, parameters=values)


def short_payment(
    pk: int, *, amount: Decimal, applied_on: dt.date, reason_code: str, actor: Actor, reason: str = ""
) -> Request:
    """Ask for a short payment to be accepted."""
    values = {"amount": amount, "applied_on": applied_on, "reason_code": reason_code}
    return approvals.submit("billing.shortpay.accept", pk, actor=actor, reason=reason, parameters=values)
