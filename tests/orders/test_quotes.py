"""Quotes: nobody approves what they made, by whichever door they come."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from decimal import Decimal

import pytest
from django.db import IntegrityError

from o2c import clock
from o2c.actor import Actor
from o2c.errors import Conflict, InvalidInput, NotAuthorised
from orders.models import Customer, Quote, QuoteLine
from orders.services import quotes
from orders.services.inputs import LineInput, QuoteInput, TermsInput
from tests.factories.access import make_user
from tests.factories.orders import line

pytestmark = pytest.mark.django_db

START, END = dt.date(2026, 12, 1), dt.date(2027, 12, 1)


@pytest.fixture(autouse=True)
def _today(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "today", lambda tz="UTC": dt.date(2026, 11, 20))


@pytest.fixture
def deal_desk(db: None) -> Actor:
    return Actor.of(make_user("dana", "deal_desk"))


@pytest.fixture
def approver(db: None) -> Actor:
    return Actor.of(make_user("ada", "approver"))


def asked(customer: Customer, *lines: LineInput) -> QuoteInput:
    return QuoteInput(
        customer=customer.pk,
        starts_on=START,
        ends_on=END,
        valid_until=dt.date(2026, 11, 30),
        lines=lines or (line("SEATS", 10, discount_percent=Decimal(15), override_reason="three-year deal"),),
        terms=TermsInput(billing_frequency="quarter", po_number="PO-7"),
    )


def test_a_quote_becomes_an_order(deal_desk: Actor, approver: Actor, customer: Customer) -> None:
    quote = quotes.create_draft(asked(customer), actor=deal_desk)
    quotes.submit(quote.pk, actor=deal_desk)
    quotes.approve(quote.pk, actor=approver, reason="strategic account")
    order = quotes.accept(quote.pk, actor=deal_desk, accepted_on=dt.date(2026, 11, 25))
    quote.refresh_from_db()
    assert (quote.state, quote.accepted_on) == ("accepted", dt.date(2026, 11, 25))
    assert (quote.approved_by_id, quote.decision_note) == (approver.user_id, "strategic account")
    assert (order.state, order.quote_id, order.billing_frequency, order.po_number) == (
        "draft",
        quote.pk,
        "quarter",
        "PO-7",
    )
    segment = order.lines.get().segments.get()
    assert (segment.quantity, segment.discount_percent, segment.starts_on, segment.ends_on) == (
        Decimal(10),
        Decimal(15),
        START,
        END,
    )


def test_nobody_approves_what_they_submitted_or_edited(
    team: Actor, customer: Customer, deal_desk: Actor
) -> None:
    quote = quotes.create_draft(asked(customer), actor=deal_desk)
    quotes.submit(quote.pk, actor=team)
    with pytest.raises(NotAuthorised, match="submitted or last edited") as refused:
        quotes.approve(quote.pk, actor=team)
    assert refused.value.code == "maker_is_checker"
    robot = replace(Actor.of(make_user("robot", "approver")), on_behalf_of_id=team.user_id)
    with pytest.raises(NotAuthorised):
        quotes.approve(quote.pk, actor=robot)
    quotes.recall(quote.pk, actor=deal_desk)
    quotes.edit_draft(quote.pk, asked(customer, line("SEATS", 3)), actor=team)
    quotes.submit(quote.pk, actor=deal_desk)
    with pytest.raises(NotAuthorised):
        quotes.approve(quote.pk, actor=team)


def test_nobody_gets_past_their_own_name_through_an_account(customer: Customer, approver: Actor) -> None:
    person = make_user("dana", "deal_desk", "approver", excused=True)
    through_account = Actor.of(make_user("robot", "deal_desk", "approver", excused=True), on_behalf_of=person)
    quote = quotes.create_draft(asked(customer), actor=through_account)
    quotes.submit(quote.pk, actor=through_account)
    quote.refresh_from_db()
    assert (quote.submitted_by_id, quote.last_edited_by_id) == (person.pk, person.pk)
    with pytest.raises(NotAuthorised, match="submitted or last edited"):
        quotes.approve(quote.pk, actor=Actor.of(person))
    quotes.approve(quote.pk, actor=approver)


def test_the_database_refuses_the_maker_as_checker(
    deal_desk: Actor,
    approver: Actor,
    customer: Customer,
    writing,  # type: ignore[no-untyped-def]
) -> None:
    quote = quotes.create_draft(asked(customer), actor=deal_desk)
    quotes.submit(quote.pk, actor=deal_desk)
    rows = Quote.objects.filter(pk=quote.pk)
    with pytest.raises(IntegrityError, match="maker_is_not_checker"), writing():
        rows.update(state="approved", approved_by=deal_desk.user_id, approved_at=clock.now())
    with pytest.raises(IntegrityError, match="approved_by_someone"), writing():
        rows.update(state="approved")
    with pytest.raises(Exception, match="only by a declared transition"), writing():
        rows.update(state="accepted", accepted_on=START)
    quotes.approve(quote.pk, actor=approver)
    with pytest.raises(IntegrityError, match="maker_is_not_checker"), writing():
        rows.update(approved_by=deal_desk.user_id)


def test_a_submitted_quote_is_closed(
    deal_desk: Actor,
    customer: Customer,
    writing,  # type: ignore[no-untyped-def]
) -> None:
    quote = quotes.create_draft(asked(customer), actor=deal_desk)
    quotes.submit(quote.pk, actor=deal_desk)
    with pytest.raises(Conflict, match="The quote is submitted"):
        quotes.edit_draft(quote.pk, asked(customer), actor=deal_desk)
    with pytest.raises(Exception, match="only while its orders_quote is draft"), writing():
        QuoteLine.objects.filter(quote=quote).update(discount_percent=50)
    with pytest.raises(Exception, match="immutable"), writing():
        Quote.objects.filter(pk=quote.pk).update(payment_terms_days=90)


def test_a_negotiated_price_has_a_reason(
    deal_desk: Actor,
    customer: Customer,
    writing,  # type: ignore[no-untyped-def]
) -> None:
    override = {"model": "per_unit", "unit_amount": "30.00"}
    with pytest.raises(InvalidInput) as refused:
        quotes.create_draft(asked(customer, line("SEATS", 10, price_override=override)), actor=deal_desk)
    assert set(refused.value.fields) == {"lines[0].override_reason"}
    quote = quotes.create_draft(asked(customer), actor=deal_desk)
    with pytest.raises(IntegrityError, match="override_has_reason"), writing():
        QuoteLine.objects.filter(quote=quote).update(override_reason="")


def test_a_rejected_quote_is_revised(deal_desk: Actor, approver: Actor, customer: Customer) -> None:
    quote = quotes.create_draft(asked(customer), actor=deal_desk)
    quotes.submit(quote.pk, actor=deal_desk)
    with pytest.raises(InvalidInput, match="needs a reason"):
        quotes.reject(quote.pk, actor=approver)
    quotes.reject(quote.pk, actor=approver, reason="too cheap")
    new = quotes.revise(quote.pk, valid_until=dt.date(2026, 12, 31), actor=deal_desk)
    assert (new.number, new.version, new.state, new.supersedes_id) == (quote.number, 2, "draft", quote.pk)
    assert [(x.sku.code, x.quantity) for x in new.lines.all()] == [("SEATS", Decimal(10))]
    with pytest.raises(Conflict, match="Version 2 of it exists already"):
        quotes.revise(quote.pk, valid_until=dt.date(2026, 12, 31), actor=deal_desk)


def test_an_offer_ends_with_its_validity(deal_desk: Actor, approver: Actor, customer: Customer) -> None:
    quote = quotes.create_draft(asked(customer), actor=deal_desk)
    quotes.submit(quote.pk, actor=deal_desk)
    quotes.approve(quote.pk, actor=approver)
    with pytest.raises(Conflict, match="valid until 2026-11-30"):
        quotes.accept(quote.pk, actor=deal_desk, accepted_on=dt.date(2026, 12, 1))
    assert quotes.expire_due(actor=deal_desk, as_of=dt.date(2026, 11, 30)) == 0
    assert quotes.expire_due(actor=deal_desk, as_of=dt.date(2026, 12, 1)) == 1
    quote.refresh_from_db()
    assert quote.state == "expired"


def test_an_empty_quote_is_not_submitted(deal_desk: Actor, customer: Customer) -> None:
    quote = quotes.create_draft(replace(asked(customer), lines=()), actor=deal_desk)
    with pytest.raises(Conflict, match="has no lines"):
        quotes.submit(quote.pk, actor=deal_desk)
