"""The second calculator against an engine with a mistake in it: caught, blocked, and the first step named."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from billing.domain import charges, prices, proration, specs, timelines
from billing.models import BillRun, BillRunFinding, Invoice
from billing.recalculation import calculator
from billing.services import drafting, findings, metering, rating, runs
from o2c.actor import acting
from o2c.errors import Conflict
from orders.models import Customer, Order
from tests.factories.billing import Team, bill, person
from tests.factories.orders import line, make_catalogue, make_order

AUGUST = dt.date(2026, 9, 1)
MID_AUGUST = dt.date(2026, 8, 12)


@pytest.fixture
def metered(team: Team, customer: Customer) -> Order:
    """2,000,000 tokens in August; the first 1,000,000 at 0.000003, the rest at 0.000002: 5.00."""
    make_catalogue(team.orders)
    metering.forget()
    tiers = [{"up_to": "1000000", "unit_amount": "0.000003"}, {"up_to": None, "unit_amount": "0.000002"}]
    order = make_order(
        team.orders,
        customer,
        [line("TOKENS", price_override={"model": "graduated", "tiers": tiers}, override_reason="Deal")],
        state="active",
        terms={"po_number": "PO"},
    )
    send(team, customer, ("a", "1500000"), ("b", "500000"))
    return order


def send(team: Team, customer: Customer, *events: tuple[str, str], meter: str = "tokens") -> None:
    sender = person("meter", "metering")
    rows: list[dict[str, object]] = [
        {
            "id": id,
            "customer": customer.number,
            "meter": meter,
            "time": "2026-08-10T10:00:00Z",
            "quantity": q,
        }
        for id, q in events
    ]
    outcome = metering.ingest_events(
        "gateway", rows, actor=sender, as_of=dt.datetime(2026, 9, 2, tzinfo=dt.UTC)
    )
    assert sum(one.accepted for one in outcome) == len(events)


@pytest.fixture
def seats(team: Team, customer: Customer) -> Order:
    """10 seats at 40.00 a calendar month from 12 August: 400.00 x 20/31 = 258.0645..., so 258.06."""
    return make_order(
        team.orders,
        customer,
        [line("SEATS", 10)],
        state="active",
        starts_on=MID_AUGUST,
        terms={"anchor": "calendar", "po_number": "PO"},
    )


def only_finding(run: BillRun) -> BillRunFinding:
    return run.findings.get(code="recalculation")


def refused(team: Team, run: BillRun) -> None:
    """Nobody gets such a run released: not by acknowledging, not by the button, not by SQL."""
    finding = only_finding(run)
    assert finding.severity == "blocker"
    with pytest.raises(Conflict, match="cured, not acknowledged"):
        findings.acknowledge(finding.pk, actor=team.ops, reason="It is only a cent")
    with pytest.raises(Conflict, match="second calculator does not agree"):
        runs.release(run.pk, actor=team.approver)
    with (
        pytest.raises(DatabaseError, match="were not recalculated"),
        transaction.atomic(),
        acting(team.approver),
    ):
        BillRun.objects.filter(pk=run.pk).update(state="released", released_by_id=team.approver.user_id)


def test_both_calculators_agree_and_the_run_is_released(team: Team, metered: Order, seats: Order) -> None:
    run = bill(team, AUGUST, upto="released")

    assert run.totals["USD"]["expected"] == run.totals["USD"]["recalculated"] == "263.06"
    assert run.chunks.get().differences == 0


def test_a_mutated_tier_bound(team: Team, metered: Order, monkeypatch: pytest.MonkeyPatch) -> None:
    honest: Callable[..., prices.Price] = specs.parse

    def mutated(spec: Any, **more: Any) -> prices.Price:
        if spec["model"] == "graduated":
            first, last = spec["tiers"]
            spec = {**spec, "tiers": [{**first, "up_to": "1010000"}, last]}
        return honest(spec, **more)

    monkeypatch.setattr(specs, "parse", mutated)
    run = bill(team, AUGUST, upto="calculated")

    finding = only_finding(run)
    assert "drafted 5.010, recalculated 5.00" in finding.message
    assert finding.working["first"] == "Units at unit amounts"
    assert "1010000 x 0.000003 beside" in finding.message or "1010000 x 0.000003" in finding.message
    refused(team, run)


def test_a_dropped_day(team: Team, seats: Order, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = proration.share.__wrapped__

    def mutated(convention: Any, a: dt.date, b: dt.date, period: Any, **more: Any) -> Fraction:
        return Fraction(honest(convention, a, b - dt.timedelta(days=1), period, **more))

    monkeypatch.setattr(proration, "share", mutated)
    run = bill(team, AUGUST, upto="calculated")

    assert only_finding(run).working["first"] == "Share of the period"
    assert "19/31 beside 20/31" in only_finding(run).message
    refused(team, run)


def test_a_day_of_service_dropped_from_the_calendar(
    team: Team, seats: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = timelines.slots

    def mutated(*arguments: Any) -> Any:
        for slot in honest(*arguments):
            yield replace(slot, service_from=slot.service_from + dt.timedelta(days=1))

    monkeypatch.setattr(timelines, "slots", mutated)
    run = bill(team, AUGUST, upto="calculated")

    assert only_finding(run).working["first"] == "Days of service"
    refused(team, run)


def test_a_duplicated_event(team: Team, metered: Order, monkeypatch: pytest.MonkeyPatch) -> None:
    """An hourly total counts an event twice; the second calculator reads the events."""
    with acting(team.ops, reason="test"), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE billing_usagehour SET quantity = quantity + 500000, event_count = event_count + 1"
        )
    run = bill(team, AUGUST, upto="calculated")

    assert only_finding(run).working["first"] == "Quantity"
    assert "2500000 beside 2000000" in only_finding(run).message
    refused(team, run)


def test_a_stale_price(team: Team, customer: Customer, seats: Order, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine remembers a price of another version than the segment points at."""
    honest = rating._segment

    def mutated(row: Any, parsed: Any) -> Any:
        segment = honest(row, parsed)
        stale = specs.parse({"model": "per_unit", "unit_amount": "38.00"})
        return replace(segment, price=stale, price_id=segment.price_id + 1000)

    monkeypatch.setattr(rating, "_segment", mutated)
    run = bill(team, AUGUST, upto="calculated")

    assert only_finding(run).working["first"] == "Price version"
    refused(team, run)


def test_a_price_with_another_amount(team: Team, seats: Order, monkeypatch: pytest.MonkeyPatch) -> None:
    honest: Callable[..., prices.Price] = specs.parse
    monkeypatch.setattr(specs, "parse", lambda spec, **more: honest({**spec, "unit_amount": "39.00"}, **more))
    run = bill(team, AUGUST, upto="calculated")

    assert only_finding(run).working["first"] == "Units at unit amounts"
    assert "10 x 39 beside 10 x 40" in only_finding(run).message


def test_a_rounding_one_step_earlier(team: Team, seats: Order, monkeypatch: pytest.MonkeyPatch) -> None:
    """The share is rounded to four places before it is multiplied: 400.00 x 0.6452 = 258.08."""
    honest = proration.share.__wrapped__

    def mutated(*arguments: Any, **more: Any) -> Fraction:
        return Fraction(round(honest(*arguments, **more), 4))

    monkeypatch.setattr(proration, "share", mutated)
    run = bill(team, AUGUST, upto="calculated")

    assert only_finding(run).working["first"] == "Share of the period"
    assert "drafted 258.080, recalculated 258.06" in only_finding(run).message


def test_a_rounding_that_goes_the_other_way(
    team: Team, customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tie: 1 seat at 0.01 for half of a 30 day month is 0.005, so 0.01; banks would say 0.00."""
    override = {"model": "per_unit", "unit_amount": "0.03"}
    make_order(
        team.orders,
        customer,
        [line("SEATS", 1, price_override=override, override_reason="Deal")],
        state="active",
        starts_on=dt.date(2026, 9, 16),
        terms={"anchor": "calendar", "po_number": "PO"},
    )
    monkeypatch.setattr(charges, "quantize", lambda value, currency: Decimal("0.01"))
    run = bill(team, dt.date(2026, 10, 1), upto="calculated")

    assert "drafted 0.010, recalculated 0.02" in only_finding(run).message
    assert only_finding(run).working["first"] == "Rounded"
    refused(team, run)


def test_a_charge_that_was_forgotten(
    team: Team, seats: Order, metered: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = rating.due

    def forgetful(order_ids: Any, through: dt.date) -> Any:
        return {pk: [] if pk == seats.pk else lines for pk, lines in honest(order_ids, through).items()}

    monkeypatch.setattr(rating, "due", forgetful)
    run = bill(team, AUGUST, upto="calculated")

    finding = only_finding(run)
    assert "drafted 0, recalculated 258.06" in finding.message
    assert finding.working["first"] == "Period"
    refused(team, run)


def test_a_draft_that_was_tampered_with(team: Team, seats: Order, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cent is added to the row of the draft before it is looked at; its own working is right."""
    honest = drafting.save

    def tampering(drafts: Any) -> None:
        honest(drafts)
        with connection.cursor() as cursor:
            cursor.execute("UPDATE billing_invoiceline SET net = net + 0.01")
            cursor.execute("UPDATE billing_invoice SET net = net + 0.01, total = total + 0.01")

    monkeypatch.setattr(drafting, "save", tampering)
    run = bill(team, AUGUST, upto="calculated")

    assert only_finding(run).amount == Decimal("0.01")
    assert only_finding(run).working["first"] == "To bill"
    refused(team, run)


def test_what_was_billed_before(
    team: Team, metered: Order, customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Late usage corrects a billed month; the engine forgets half of what was billed."""
    bill(team, AUGUST)
    send(team, customer, ("late", "100000"))
    honest = rating.load_billed

    def forgetful(order_ids: Any) -> Any:
        return {
            pk: [replace(row, amount=row.amount / 2) for row in rows]
            for pk, rows in honest(order_ids).items()
        }

    monkeypatch.setattr(rating, "load_billed", forgetful)
    run = bill(team, dt.date(2026, 10, 1), upto="calculated")

    finding = run.findings.get(code="recalculation")
    assert "drafted 2.700, recalculated 0.20" in finding.message
    assert finding.working["first"] == "Billed before"


def test_a_finding_that_is_deleted_does_not_open_the_way(
    team: Team, seats: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(charges, "quantize", lambda value, currency: Decimal("258.07"))
    run = bill(team, AUGUST, upto="calculated")
    with acting(team.ops, reason="test"), connection.cursor() as cursor:
        cursor.execute("DELETE FROM billing_billrunfinding")

    with pytest.raises(Conflict, match="second calculator does not agree"):
        runs.release(run.pk, actor=team.approver)


def test_what_cannot_be_recalculated_is_said(
    team: Team, seats: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clause that only the engine knows: as if somebody had added a proration to it alone."""
    honest = calculator._statements()
    monkeypatch.setattr(calculator, "_statements", lambda: honest.replace("'actual_days'", "'x'"))
    run = bill(team, AUGUST, upto="calculated")

    finding = run.findings.get(code="not_recalculated")
    assert (finding.severity, finding.customer) == ("warning", seats.customer)
    assert "the proration actual_days cannot be recalculated" in finding.message
    with pytest.raises(Conflict, match="wait for acknowledgement"):
        runs.release(run.pk, actor=team.approver)


def test_corrected_the_run_is_calculated_again_and_posts(
    team: Team, seats: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as wrong:
        wrong.setattr(charges, "quantize", lambda value, currency: Decimal("258.07"))
        run = bill(team, AUGUST, upto="calculated")
    runs.reopen(run.pk, actor=team.ops, reason="The engine is corrected")
    runs.calculate(run.pk, actor=team.ops)
    findings.acknowledge_all(run.pk, actor=team.ops, reason="Looked at")
    runs.release(run.pk, actor=team.approver)
    runs.post(run.pk, actor=team.ops)

    assert Invoice.objects.get().net == Decimal("258.06")
