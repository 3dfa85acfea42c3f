"""What a person waits for in controls: who may decide, what a grant would allow, a full inbox.

    python -m bench.controls [requests] [rounds]

A credit memo, some people, and `requests` open requests that wait for one approver, laid out in bulk. Each
figure is the median of `rounds` measurements after one that warms up, beside the limit of the product.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from bench.database import scratch

LIMITS = {"eligibility of an approver": 0.050, "sod simulate": 0.200, "inbox": 1.0, "inbox page": 1.0}


def lay_out(count: int) -> Any:
    """A real request, and `count` more like it about other subjects; the request."""
    from o2c import clock
    from o2c.actor import acting
    from o2c.controls import approvals
    from o2c.controls.approvals.models import Request, Step
    from tests.approvals.conftest import ACT, draft_memo
    from tests.factories.billing import billing_team, books, person, post_invoice
    from tests.factories.orders import make_customer

    team = billing_team()
    books(team)
    for n in range(20):
        person(f"approver-{n}", "approver")
    invoice = post_invoice(team, make_customer(team.orders), "100000.00")
    memo = draft_memo(team, invoice, "20000.00")
    first = approvals.submit(ACT, memo.pk, actor=team.ops, reason="bench")
    with acting(team.ops, reason="bench"):
        rows = Request.objects.bulk_create(
            [
                Request(
                    act=ACT, subject_model=first.subject_model, subject_id=1_000_000 * first.pk + n,
                    subject_label=f"Credit memo {n}", policy=first.policy, facts=first.facts,
                    effects=first.effects, facts_digest=first.facts_digest, digest=first.digest,
                    amount=Decimal(6000 + n), currency="USD", requested_by=first.requested_by, reason="bench",
                    submitted_at=clock.now(), excluded=first.excluded,
                )
                for n in range(count)
            ],
            batch_size=1000,
        )  # fmt: skip
        Step.objects.bulk_create(
            [
                Step(
                    request=row, round=1, position=1, code="approver", title="Approver",
                    duty="billing.credit.post", opened_at=clock.now(),
                )
                for row in rows
            ],
            batch_size=1000,
        )  # fmt: skip
    return first


def measured(act: Callable[[], Any], rounds: int) -> float:
    """Median seconds."""
    act()
    times = []
    for _ in range(rounds):
        begin = time.perf_counter()
        act()
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


def main(arguments: list[str]) -> None:
    count = int(arguments[0]) if arguments else 5000
    rounds = int(arguments[1]) if len(arguments) > 1 else 9
    with scratch("o2c_bench_controls"):
        from django.db import connection
        from django.test import Client
        from django.urls import reverse

        from o2c.access.models import User
        from o2c.controls.approvals.selectors.inbox import inbox
        from o2c.controls.approvals.services.submitting import preview
        from o2c.controls.sod.selectors import simulate

        first = lay_out(count)
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")
        bea, abe = User.objects.get(username="bea"), User.objects.get(username="abe")
        client = Client()
        client.force_login(abe, backend="o2c.access.backends.DutyBackend")
        address = reverse("admin:queue", args=("approvals.inbox",))

        def opened() -> None:
            assert client.get(address).status_code == 200

        seconds = {
            "eligibility of an approver": measured(
                lambda: preview(first.act, first.subject_id, requester=bea), rounds
            ),
            "sod simulate": measured(lambda: simulate("abe", ["master_data"]), rounds),
            "inbox": measured(lambda: (inbox(abe).count(), list(inbox(abe)[:50])), rounds),
            "inbox page": measured(opened, rounds),
        }
    for what, took in seconds.items():
        limit = LIMITS[what]
        print(f"{what:30} {took * 1000:8.1f} ms   limit {limit * 1000:6.0f} ms   {took / limit:5.2f}")


if __name__ == "__main__":
    main(sys.argv[1:])
