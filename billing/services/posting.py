"""Turning drafts into documents: number, state, charge, journal, event; set-based.

A chunk of a thousand documents is one transaction of a fixed number of statements. What is not posted
is still a draft, so a run whose worker died goes on where it was: there is no other bookkeeping.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

from django.db import IntegrityError, connection

from billing import events, postings
from billing.models import BillRun, Invoice
from billing.selectors import runs as run_selectors
from o2c import clock, locks, numbering
from o2c.access import require
from o2c.actor import Actor, acting
from o2c.errors import Conflict

CHUNK = 1000
SERIES = {
    Invoice.Kind.INVOICE: "INV",
    Invoice.Kind.CREDIT_MEMO: "CM",
    Invoice.Kind.DEBIT_MEMO: "DM",
}
Progress = Callable[[int, int], None]

POST = """
UPDATE billing_invoice i
SET state = 'posted', number = n.number, posted_at = %(now)s, posted_by_id = %(by)s
FROM unnest(%(ids)s::bigint[], %(numbers)s::text[]) AS n(id, number)
WHERE i.id = n.id AND i.state = 'draft'
"""

# One charge a line that the engine proposed, and what it moves of grants. The unique key and the exclusion
# constraint of the table are the guards against billing anything twice, the balance of the grant (a CHECK)
# against drawing it twice.
CHARGES = """
WITH written AS (
INSERT INTO billing_charge (line_id, segment_id, kind, currency, amount, quantity, revision, corrects_id,
    period_from, period_to, service_from, service_to, covers_from, covers_to, due_on, trace, run_id,
    invoice_line_id)
SELECT l.order_line_id, l.segment_id, l.kind, i.currency, l.net, l.quantity,
       (l.proposal->>'revision')::int, (l.proposal->>'corrects')::bigint,
       (l.proposal->>'period_from')::date, (l.proposal->>'period_to')::date,
       (l.proposal->>'service_from')::date, (l.proposal->>'service_to')::date,
       (l.proposal->>'covers_from')::date, (l.proposal->>'covers_to')::date,
       (l.proposal->>'due_on')::date, l.trace, i.run_id, l.id
FROM billing_invoiceline l JOIN billing_invoice i ON i.id = l.invoice_id
WHERE l.invoice_id = ANY(%(ids)s) AND l.proposal IS NOT NULL
ORDER BY l.invoice_id, l.position
RETURNING id, invoice_line_id, line_id, segment_id, kind, period_from
)
INSERT INTO billing_grantentry (grant_id, kind, amount, occurred_on, line_id, segment_id, period_from,
    part_from, part_to, charge_id, reverses_id)
SELECT (e.item->>'grant')::bigint, e.item->>'kind', (e.item->>'amount')::numeric, i.issue_date, c.line_id,
       c.segment_id, c.period_from, (e.item->>'part_from')::date, (e.item->>'part_to')::date, c.id,
       (e.item->>'reverses')::bigint
FROM written c JOIN billing_invoiceline l ON l.id = c.invoice_line_id
JOIN billing_invoice i ON i.id = l.invoice_id
CROSS JOIN LATERAL jsonb_array_elements(l.proposal->'entries') WITH ORDINALITY AS e(item, n)
WHERE c.kind = 'drawdown'
ORDER BY l.invoice_id, l.position, e.n
"""


def post(
    run_id: int, *, actor: Actor, reason: str = "", progress: Progress | None = None, chunk: int = CHUNK
) -> BillRun:
    """Post every draft of a released run, chunk by chunk; resumes a run that was interrupted.

    A run that is posted already is returned unchanged. Raises Conflict when it is not released, when
    the drafts are not those that were released, or when the totals do not agree at the end;
    ClosedPeriod when its issue date lies in a closed month.
    """
    run = _start(run_id, actor, reason)
    if run.state == BillRun.State.POSTED:
        return run
    total = run.invoices.count()
    done = run.invoices.exclude(state=Invoice.State.DRAFT).count()
    while posted := _post_chunk(run_id, actor, reason, chunk):
        done += posted
        if progress is not None:
            progress(done, total)
    return _finish(run_id, actor, reason)


def _start(run_id: int, actor: Actor, reason: str) -> BillRun:
    with acting(actor, reason=reason):
        require(actor, "billing.run.post", record=f"run {run_id}")
        run = locks.row(BillRun, run_id)
        if run.state in (BillRun.State.POSTED, BillRun.State.POSTING):
            return run
        run_selectors.require_digest(run)
        run.start_posting()
        run.save()
        return run


def _post_chunk(run_id: int, actor: Actor, reason: str, size: int) -> int:
    with acting(actor, reason=reason or "Post bill run"):
        locks.row(BillRun, run_id)  # one worker at a time; a second one waits and finds nothing left
        drafts = Invoice.objects.filter(run_id=run_id, state=Invoice.State.DRAFT)
        ids = list(drafts.order_by("customer_id", "pk").values_list("pk", flat=True)[:size])
        post_documents(ids, actor=actor)
        return len(ids)


def post_documents(ids: Sequence[int], *, actor: Actor) -> None:
    """Post these drafts, in this order of numbers. Inside the caller's transaction and authority."""
    if not ids:
        return
    kinds = dict(Invoice.objects.filter(pk__in=ids).values_list("pk", "kind"))
    numbers = _numbers(ids)
    with connection.cursor() as cursor:
        cursor.execute(
            POST,
            {
                "ids": list(ids),
                "numbers": [numbers[pk] for pk in ids],
                "now": clock.now(),
                "by": actor.user_id,
            },
        )
        if cursor.rowcount != len(ids):
            raise Conflict(
                f"{len(ids) - cursor.rowcount} of {len(ids)} documents are no longer drafts",
                remedy="Reload: somebody posted or deleted them meanwhile",
            )
        try:
            cursor.execute(CHARGES, {"ids": list(ids)})
        except IntegrityError as error:
            if "billing_grant_remaining" not in str(error):
                raise
            raise Conflict(
                "Credit that these documents draw was used since they were calculated",
                remedy="Discard the drafts and calculate the run again",
                code="grant_exhausted",
            ) from error
    postings.post_documents(ids)
    events.documents_posted((pk, kinds[pk] == Invoice.Kind.CREDIT_MEMO) for pk in ids)


def _numbers(ids: Sequence[int]) -> dict[int, str]:
    """A number for each document, from the series of its entity, kind and year, in the order of `ids`."""
    heads = {
        pk: (entity, SERIES[Invoice.Kind(kind)], issued.year)
        for pk, entity, kind, issued in Invoice.objects.filter(pk__in=ids).values_list(
            "pk", "entity_id", "kind", "issue_date"
        )
    }
    series: dict[tuple[int, str, int], list[int]] = defaultdict(list)
    for pk in ids:
        series[heads[pk]].append(pk)
    numbers: dict[int, str] = {}
    for head in sorted(series):  # always in this order: two posters never wait for each other in a ring
        numbers.update(zip(series[head], numbering.take(*head, len(series[head])), strict=True))
    return numbers


def _finish(run_id: int, actor: Actor, reason: str) -> BillRun:
    """Conservation: what the engine expected is what was drafted is what is posted, in every currency."""
    with acting(actor, reason=reason or "Post bill run"):
        run = locks.row(BillRun, run_id)
        if run.state == BillRun.State.POSTED:
            return run
        run_selectors.require_digest(run)
        run.totals = run_selectors.conservation(run)
        run_selectors.require_conserved(run)
        run.posted_at = clock.now()
        run.finish()
        run.save()
        events.run_event(events.RUN_POSTED, run.pk)
        return run
