"""The whole walk on a small company: a signed order becomes cash and closed books, twice without a change."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from billing.models import BillRun, Invoice, InvoiceDelivery, Receipt, UsageBatch
from o2c.audit.reconcile import reconcile
from o2c.demo.real import Trace
from o2c.demo.summary import figures
from o2c.demo.walk.credit import problem_of
from o2c.demo.walk.journey import Advance, Scale, bill_trace, finished, walk
from o2c.invariants import all_invariants
from o2c.invariants.models import InvariantRun
from o2c.ledger.models import AccountingPeriod
from orders.models import Amendment, DealIntake, Entitlement, Order, Quote
from orders.selectors import activation
from revenue.models import CloseRun, TieOut

SMALL = Scale(customers=40, events=9000)
PASSWORD = "walk-the-order-to-cash"


class Silent:
    """A report that nobody reads."""

    def step(self, label: str, total: int | None = None) -> Advance:
        return lambda count: None


def rows_by_table() -> dict[str, int]:
    """Rows of every table of the product but the record of background work, and its seals."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
            " AND relname !~ '^(django_|axes_|runtime_|invariants_|audit_(block|anchor)$)' ORDER BY 1"
        )
        names = [row[0] for row in cursor.fetchall()]
        counts = {}
        for name in names:
            cursor.execute(f'SELECT count(*) FROM "{name}"')
            counts[name] = cursor.fetchone()[0]
    return counts


@pytest.mark.django_db(transaction=True)
def test_a_company_walks_from_signed_deals_to_three_closed_months(settings: Any, tmp_path: Path) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    assert not finished(SMALL)

    walk(SMALL, PASSWORD, Silent())

    assert finished(SMALL)
    _contracts_are_active_and_amended()
    _everybody_finds_work_in_the_morning()
    _usage_is_conserved()
    _documents_are_posted_numbered_and_delivered()
    _books_are_closed_and_explained()
    _nothing_is_broken()

    before = rows_by_table()
    walk(SMALL, PASSWORD, Silent())
    assert rows_by_table() == before

    _a_trace_is_billed_once(tmp_path)


def _contracts_are_active_and_amended() -> None:
    assert Order.objects.exclude(state="signed").count() == 40
    assert not Order.objects.filter(state="draft").exists()
    assert Amendment.objects.filter(state="applied").count() >= 5
    assert Entitlement.objects.exists()


def _everybody_finds_work_in_the_morning() -> None:
    quotes = Quote.objects.order_by("pk").values_list("state", flat=True)
    assert list(quotes) == ["submitted", "draft", "submitted"]
    signed = Order.objects.filter(state="signed").order_by("pk")
    on_hold = [order.pk for order in signed if problem_of(order)]
    assert len(on_hold) == 2
    ready, blocked = signed.exclude(pk__in=on_hold)
    missing = activation.blockers_of([ready.pk, blocked.pk])
    assert missing[ready.pk] == []
    assert {blocker.code for blocker in missing[blocked.pk]} == {"no_revenue_treatment", "no_gl_segment"}
    (deal,) = DealIntake.objects.all()
    assert (deal.state, [error["field"] for error in deal.errors]) == (
        "parked", ["OpportunityLineItems.records[0].ProductCode"],
    )  # fmt: skip
    run = BillRun.objects.get(state="calculated")
    assert run.findings.filter(code="jump").count() < Invoice.objects.filter(run=run).count() / 4
    assert InvariantRun.objects.get().failing == 0


def _usage_is_conserved() -> None:
    batches = list(UsageBatch.objects.all())
    received = sum(batch.received for batch in batches)
    assert received > 8000
    assert received == sum(b.accepted + b.duplicate + b.parked for b in batches)
    assert sum(batch.duplicate for batch in batches) > 0
    assert sum(batch.parked for batch in batches) > 0


def _documents_are_posted_numbered_and_delivered() -> None:
    posted = Invoice.objects.filter(state="posted")
    assert posted.filter(kind="invoice").count() > 60
    assert posted.filter(kind="credit_memo").exists()
    for entity in ("US", "IE"):
        numbers = sorted(
            int((number or "").rsplit("-", 1)[1])
            for number in posted.filter(entity__code=entity, kind="invoice").values_list("number", flat=True)
        )
        assert numbers == list(range(1, len(numbers) + 1))
    direct = posted.filter(channel="direct").exclude(total=0)
    sent = InvoiceDelivery.objects.filter(state="sent")
    assert sent.count() == direct.count()
    assert not posted.filter(channel="aws", deliveries__isnull=False).exists()
    assert Receipt.objects.filter(applied__gt=0).count() > 30


def _books_are_closed_and_explained() -> None:
    closed = AccountingPeriod.objects.filter(state="closed").values_list("entity__code", "name")
    assert sorted(closed) == [(e, m) for e in ("IE", "US") for m in ("2026-08", "2026-09", "2026-10")]
    for run in CloseRun.objects.filter(state="locked"):
        answers = TieOut.objects.filter(close=run, attempt=run.attempt)
        assert answers.count() >= 15
        assert {answer.code for answer in answers if answer.differing} <= {"usage.parked"}
    by_heading = {figure.heading: figure for figure in figures()}
    assert Decimal(by_heading["Journals"].amount) == 0


def _a_trace_is_billed_once(folder: Path) -> None:
    """4,000,000 tokens in at 2.50 and 1,000,000 out at 10.00 a million, in the month that is open."""
    usage, prices = folder / "trace.csv", folder / "prices.json"
    usage.write_text(
        "TIMESTAMP,ContextTokens,GeneratedTokens\n"
        "2023-11-16 18:17:03.9799600,3000000,400000\n2023-11-16 18:17:04.0319600,1000000,600000\n"
    )
    listed = {"input_mtok": 2.5, "cache_read_mtok": 1.25, "output_mtok": 10}
    prices.write_text(json.dumps([{"id": "openai", "models": [{"id": "gpt-4o", "prices": listed}]}]))
    trace = Trace.of(usage, prices)
    assert trace is not None

    bill_trace(SMALL, trace, Silent())

    invoice = Invoice.objects.get(customer__name="Trace of requests")
    assert (invoice.state, invoice.net, f"{invoice.issue_date}") == ("posted", 20, "2026-11-30")
    before = rows_by_table()
    bill_trace(SMALL, trace, Silent())
    assert rows_by_table() == before


def _nothing_is_broken() -> None:
    assert reconcile() == []
    with connection.cursor() as cursor:
        for invariant in all_invariants():
            cursor.execute(f"SELECT * FROM ({invariant.query()}) violations LIMIT 3")
            assert cursor.fetchall() == [], invariant.code
