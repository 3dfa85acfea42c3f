"""Whoever stands in for somebody sees the inbox and decides there while the delegation is in force."""

from __future__ import annotations

from typing import Any

from django.db.models import BigIntegerField, Func, QuerySet, TextField, Value

DELEGATES = ("approvals.read", "approvals.request.decide")


def lent(user_id: int) -> QuerySet[Any, tuple[str, int]]:
    """(duty, 0) for what a delegate needs; which steps they decide is a matter of the delegator's duties."""
    from o2c.controls.approvals.models import Delegation

    duties = Func(Value(",".join(DELEGATES)), Value(","), function="string_to_array")
    rows = Delegation.objects.in_force().filter(delegate_id=user_id, delegate__is_active=True)
    duty = Func(duties, function="unnest", output_field=TextField())
    return rows.order_by().values_list(duty, Value(0, output_field=BigIntegerField()))
