"""What waits about refunds, on the home page of whoever has it to do."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from billing.models import Refund
from o2c.console.registry import Queue


def _refunds_to_release(user: Any) -> QuerySet[Any]:
    """Not one's own: who drafted a refund does not release it."""
    return Refund.objects.filter(state=Refund.State.DRAFT).exclude(drafted_by=user).select_related("customer")


QUEUES = (
    Queue(
        code="billing.refund.release",
        title="Refunds to release",
        area="Cash",
        duty="billing.refund.release",
        roles=("controller",),
        rows=_refunds_to_release,
        since="created_at",
        amount="amount",
        columns=("customer", "reason_code", "method"),
        why="Drafted by somebody else: look at the account, then release it or see who has to agree",
        sla_hours=48,
        icon="undo",
        priority=11,
        empty="No refund of somebody else waits to be released.",
    ),
    Queue(
        code="billing.refund.drafts",
        title="Drafted refunds",
        area="Cash",
        duty="billing.refund.draft",
        rows=lambda user: Refund.objects.filter(state=Refund.State.DRAFT).select_related("customer"),
        since="created_at",
        amount="amount",
        columns=("customer", "reason_code", "method"),
        why="Not released yet: ask for it, or wait for the second person",
        icon="undo",
        priority=30,
        empty="No refund is drafted.",
    ),
    Queue(
        code="billing.refund.paid",
        title="Refunds to find on the bank statement",
        area="Cash",
        duty="billing.refund.record_paid",
        roles=("controller",),
        rows=lambda user: Refund.objects.filter(state=Refund.State.RELEASED).select_related("customer"),
        since="released_at",
        amount="amount",
        columns=("customer", "payee_name", "method"),
        why="Released, and neither paid nor refused by the bank yet",
        sla_hours=5 * 24,
        icon="account_balance",
        priority=13,
        empty="Every released refund was paid.",
    ),
)
