"""Early invoices: a bill run of the customers whose unbilled usage reached a threshold of a contract."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict

from billing.models import BillRun, BillRunChunk
from billing.services import rating, runs
from o2c.actor import Actor, acting
from orders.models import Order

FINISHED = (BillRun.State.POSTED, BillRun.State.CANCELLED)


def reached(as_of: dt.date) -> dict[int, list[int]]:
    """Customers by entity with an order whose usage before `as_of` reached a threshold and is not billed.

    A fixed number of statements. Whoever is in an unfinished run waits until it is posted.
    """
    busy: set[int] = set()
    for ids in BillRunChunk.objects.exclude(run__state__in=FINISHED).values_list("customer_ids", flat=True):
        busy.update(ids)
    active = Order.objects.filter(state=Order.State.ACTIVE, starts_on__lt=as_of)
    orders = active.exclude(invoice_thresholds=[]).values_list("pk", "entity", "customer")
    known = {pk: (entity, customer) for pk, entity, customer in orders}
    found: dict[int, set[int]] = defaultdict(set)
    for pk in rating.early(known, as_of):
        entity, customer = known[pk]
        if customer not in busy:
            found[entity].add(customer)
    return {entity: sorted(customers) for entity, customers in sorted(found.items())}


def bill(as_of: dt.date, *, actor: Actor, reason: str = "") -> list[BillRun]:
    """Plan and calculate a run per entity for the customers who reached a threshold by the end of `as_of`.

    Release and posting are left to people, as of every run. Run again it finds these customers in a run.
    """
    through = as_of + dt.timedelta(days=1)
    why = reason or "Unbilled usage reached a threshold"
    made = []
    for entity, customers in reached(through).items():
        with acting(actor, reason=why):
            run = runs.plan(
                entity_id=entity,
                through=through,
                customer_ids=customers,
                kind=BillRun.Kind.THRESHOLD,
                actor=actor,
                reason=why,
            )
        made.append(runs.calculate(run.pk, actor=actor, reason=why))
    return made
