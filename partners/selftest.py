"""Specimens of partners for the self-test: a channel of its own with breaks in each state."""

from __future__ import annotations

import datetime as dt
from copy import deepcopy
from decimal import Decimal

from o2c import clock
from o2c.actor import acting
from o2c.controls.selftest.world import REASON, World
from partners.domain.capability import AWS_MARKETPLACE
from partners.models import Break
from partners.services import breaks, channels


def build(world: World) -> None:
    worker = world.person("partner_ops")
    channel = channels.ensure(
        "zt-selftest", "Self-test", entity_id=world.records["entity"].pk, seller_account="0" * 12,
        capability=deepcopy(AWS_MARKETPLACE), actor=worker, reason=REASON,
    )  # fmt: skip
    with acting(worker, reason=REASON):
        breaks.raise_many(channel.pk, [_found(n) for n in range(4)], as_of=clock.now())
    rows = list(Break.objects.filter(channel=channel).order_by("pk"))
    for row in rows[1:]:
        breaks.take(row.pk, actor=worker, reason=REASON)
    for row in rows[2:]:
        breaks.propose(row.pk, breaks.ACCEPT, actor=worker, reason=REASON)
    breaks.resolve(rows[3].pk, actor=world.person("approver"), reason=REASON)


def _found(number: int) -> breaks.Found:
    return breaks.Found(
        type="amount", leg="fee", key=f"selftest-{number}", period="", expected=Decimal(2), actual=Decimal(1),
        value=Decimal(1), currency="USD", owner_role="partner_ops", escalate_after=dt.timedelta(days=1),
    )  # fmt: skip
