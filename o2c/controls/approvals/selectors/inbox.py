"""What waits for whom: one set-based query, however many requests are open."""

from __future__ import annotations

from typing import Any

from django.db.models import Exists, F, Func, JSONField, OuterRef, Q, QuerySet, Value
from django.db.models.functions import Abs

from o2c.access.authorise import duties_of, in_force
from o2c.access.models import RoleDuty
from o2c.controls.approvals.models import Decision, Delegation, Request, Round, Step


def inbox(user: Any) -> QuerySet[Request]:
    """Open requests whose waiting step `user` may decide, by a duty of theirs or a delegation in force, and
    from which no rule kept them when the round began.
    """
    own = duties_of(user)
    if "approvals.request.decide" not in own:
        return Request.objects.none()
    waiting = Step.objects.filter(
        request=OuterRef("pk"),
        round=OuterRef("round"),
        opened_at__isnull=False,
        done_at__isnull=True,
    )
    lent = RoleDuty.objects.filter(
        in_force("role__grants__"),
        duty=OuterRef("duty"),
        role__grants__user__is_active=True,
        role__grants__user__delegations_given__in=Delegation.objects.in_force().filter(delegate=user.pk),
    )
    apart = Round.objects.filter(
        request=OuterRef("request"), number=OuterRef("round"), exclusions__contains=_named(user.pk)
    )
    mine = Exists(waiting.filter(Q(duty__in=own) | Exists(lent)).exclude(Exists(apart)))
    said = Decision.objects.filter(
        request=OuterRef("pk"),
        round=OuterRef("round"),
        decided_by=user.pk,
        verdict__in=["approve", "carried"],
    )
    return (
        Request.objects.filter(mine, state=Request.State.OPEN)
        .annotate(waits_for_me=Value(True))  # so that nobody asks again for each row
        .exclude(excluded__contains=[user.pk])
        .exclude(Exists(said))
    )


def _named(pk: int) -> Func:
    """How a round names somebody who may not decide a step, which is the outer query's."""
    steps = Func(OuterRef("code"), function="jsonb_build_array", output_field=JSONField())
    one = (Value("user"), Value(pk), Value("steps"), steps)
    return Func(
        Func(*one, function="jsonb_build_object", output_field=JSONField()),
        function="jsonb_build_array",
        output_field=JSONField(),
    )


def precedents(request: Request, count: int = 5) -> QuerySet[Request]:
    """What was decided lately about the same kind of act, the nearest amounts first."""
    rows = Request.objects.filter(act=request.act, state__in=["committed", "rejected", "expired"]).exclude(
        pk=request.pk
    )
    if request.amount is not None:
        rows = rows.filter(currency=request.currency).annotate(distance=Abs(F("amount") - request.amount))
        return rows.order_by("distance", "-pk")[:count]
    return rows.order_by("-pk")[:count]
