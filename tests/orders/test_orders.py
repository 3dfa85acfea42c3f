"""Orders from draft to the end of their term, and what keeps them from becoming active."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from decimal import Decimal
from typing import Any, cast

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from o2c.actor import Actor
from o2c.errors import Conflict, InvalidInput, NotAuthorised, NotFound
from o2c.outbox.models import DomainEvent
from orders.models import Customer, Order, OrderLine, Price, Segment, Sku
from orders.selectors.activation import blockers_of
from orders.selectors.value import order_values
from orders.services import catalogue as catalogue_services
from orders.services import orders
from orders.services.inputs import OrderInput, PriceInput, SegmentInput, TermsInput
from tests.factories.access import make_user
from tests.factories.orders import TERM_END, TERM_START, line, make_customer, make_order, make_prices

pytestmark = pytest.mark.django_db

D = Decimal
Writing = Callable[[], AbstractContextManager[Any]]


def test_an_order_goes_from_draft_to_active(team: Actor, customer: Customer) -> None:
    order = make_order(team, customer, [line("SEATS", 10), line("TOKENS")])
    assert order.number == f"O-{order.pk:06d}"
    assert (order.currency, order.entity_id, order.payment_terms_days) == ("USD", customer.entity_id, 30)
    assert [(x.sku.code, x.timing) for x in order.lines.all()] == [
        ("SEATS", "advance"),
        ("TOKENS", "arrears"),
    ]
    orders.sign(order.pk, actor=team, signed_on=dt.date(2026, 7, 20))
    orders.activate(order.pk, actor=team, as_of=TERM_START)
    order.refresh_from_db()
    assert (order.state, order.signed_on, order.activated_on) == ("active", dt.date(2026, 7, 20), TERM_START)
    event = DomainEvent.objects.get(type="orders.order.activated")
    assert event.aggregate == f"orders.order:{order.pk}"
    assert event.payload["order_id"] == order.pk


def test_the_list_price_of_the_first_day_is_taken(team: Actor, customer: Customer) -> None:
    newer = {"model": "per_unit", "unit_amount": "44.00"}
    make_prices(team, [PriceInput("SEATS", "USD", newer, dt.date(2026, 9, 1))])
    order = make_order(team, customer, [line("SEATS", 1), line("SEATS", 1, starts_on=dt.date(2026, 9, 1))])
    used = [s.price.version for s in Segment.objects.filter(line__order=order).order_by("line__position")]
    assert used == [1, 2]


def test_a_ramp_is_several_segments(team: Actor, customer: Customer) -> None:
    middle = dt.date(2027, 2, 1)
    ramp = (SegmentInput(TERM_START, middle, D(10)), SegmentInput(middle, TERM_END, D(20)))
    order = make_order(team, customer, [line("SEATS", segments=ramp)], state="active")
    found = Segment.objects.filter(line__order=order).values_list("sequence", "starts_on", "quantity")
    assert list(found) == [(1, TERM_START, D(10)), (2, middle, D(20))]
    assert order_values([order.pk]) == {order.pk: D("7200.00")}  # 6 x 400 + 6 x 800


def test_every_problem_of_a_draft_is_said_at_once(team: Actor, customer: Customer) -> None:
    euro = Price.objects.get(sku__code="SEATS", currency="EUR")
    data = OrderInput(
        customer=customer.pk,
        starts_on=TERM_START,
        ends_on=TERM_END,
        terms=TermsInput(billing_frequency="weekly", time_zone="Mars", auto_renew=True),
        lines=(
            line("NOPE"),
            line("SEATS", "-1", discount_percent=D(101), timing="later", frequency="fortnight"),
            line("SEATS", price=euro.pk),
            line("SEATS", price_override={"model": "flat", "amount": 1.0}),
            line("SEATS", ends_on=dt.date(2028, 1, 1)),
            replace(line("SEATS"), quantity=cast(Any, 0.1)),
            line("COMMIT", starts_on=dt.date(2025, 12, 1)),
            line("SEATS", segments=(SegmentInput(TERM_START, TERM_END, D(1)),) * 2),
        ),
    )
    with pytest.raises(InvalidInput) as refused:
        orders.create_draft(data, actor=team)
    assert set(refused.value.fields) == {
        "billing_frequency",
        "time_zone",
        "renewal_term_months",
        "lines[0].sku",
        "lines[1].quantity",
        "lines[1].discount_percent",
        "lines[1].timing",
        "lines[1].frequency",
        "lines[2].price",
        "lines[3].price_override.amount",
        "lines[4].starts_on",
        "lines[5].quantity",
        "lines[6].price",
        "lines[7].segments",
    }
    assert "has no list price in USD that is valid on 2025-12-01" in refused.value.fields["lines[6].price"][0]
    assert not Order.objects.exists()


def test_a_gap_between_segments_is_refused(team: Actor, customer: Customer) -> None:
    gap = (
        SegmentInput(TERM_START, dt.date(2026, 9, 1), D(1)),
        SegmentInput(dt.date(2026, 10, 1), TERM_END, D(1)),
    )
    with pytest.raises(InvalidInput, match=r"no segment covers \[2026-09-01, 2026-10-01\)"):
        make_order(team, customer, [line("SEATS", segments=gap)])


def test_customer_must_exist_and_be_active(team: Actor, customer: Customer) -> None:
    from orders.services import customers

    with pytest.raises(NotFound, match="no customer with id 999999"):
        orders.create_draft(OrderInput(999999, TERM_START, ()), actor=team)
    customers.deactivate(customer.pk, actor=team)
    with pytest.raises(InvalidInput, match="is inactive"):
        make_order(team, customer, [line("SEATS")])


def test_a_draft_is_rewritten_until_it_is_signed(team: Actor, customer: Customer) -> None:
    order = make_order(team, customer, [line("SEATS", 10)])
    data = OrderInput(
        customer.pk, TERM_START, (line("SEATS", 5), line("PLATFORM")), term_months=24, title="Two years"
    )
    orders.replace_draft(order.pk, data, actor=team)
    order.refresh_from_db()
    assert (order.ends_on, order.title) == (dt.date(2028, 8, 1), "Two years")
    assert [x.sku.code for x in order.lines.all()] == ["SEATS", "PLATFORM"]
    orders.sign(order.pk, actor=team)
    with pytest.raises(Conflict, match="Only a draft is rewritten"):
        orders.replace_draft(order.pk, data, actor=team)
    orders.reopen(order.pk, actor=team, reason="typing error")
    order.refresh_from_db()
    assert (order.state, order.signed_on) == ("draft", None)


def test_an_order_can_not_activate_while_a_sku_is_not_attributed(team: Actor, customer: Customer) -> None:
    for code, kind in (("BARE-USAGE", "usage"), ("BARE-SEAT", "recurring")):
        catalogue_services.save_sku(code, product="AI", name=code, kind=kind, actor=team)
        make_prices(team, [PriceInput(code, "USD", {"model": "flat", "amount": "1"}, dt.date(2026, 1, 1))])
    order = make_order(team, customer, [line("SEATS"), line("BARE-USAGE"), line("BARE-SEAT")], state="signed")
    with pytest.raises(Conflict) as refused:
        orders.activate(order.pk, actor=team)
    assert refused.value.code == "activation_blocked"
    assert refused.value.message == (
        f"{order.number}: "
        "line 2 (BARE-USAGE): the SKU has no meter. Give the SKU the meter that measures it; "
        "line 2 (BARE-USAGE): the SKU has no revenue treatment. "
        "Ask revenue accounting to say how its revenue is recognised; "
        "line 2 (BARE-USAGE): the SKU has no GL segment. Give the SKU a segment of the GL export; "
        "line 3 (BARE-SEAT): the SKU has no revenue treatment. "
        "Ask revenue accounting to say how its revenue is recognised; "
        "line 3 (BARE-SEAT): the SKU has no GL segment. Give the SKU a segment of the GL export"
    )
    order.refresh_from_db()
    assert order.state == "signed"
    assert not DomainEvent.objects.filter(type="orders.order.activated").exists()


def test_a_price_that_was_withdrawn_blocks_activation(team: Actor, customer: Customer) -> None:
    order = make_order(team, customer, [line("SEATS")], state="signed")
    catalogue_services.retire_price(Segment.objects.get(line__order=order).price_id, actor=team)
    assert [found.code for found in blockers_of([order.pk])[order.pk]] == ["price_state"]


def test_what_was_signed_for_is_compared_with_what_will_be_billed(team: Actor, customer: Customer) -> None:
    order = make_order(team, customer, [line("SEATS", 10)], state="signed", signed_total=D("4700.00"))
    with pytest.raises(Conflict, match=r"signed for 4700\.000 USD, the lines come to 4800\.00 USD"):
        orders.activate(order.pk, actor=team)
    good = make_order(team, customer, [line("SEATS", 10)], state="active", signed_total=D("4800.00"))
    assert good.state == "active"


def test_one_blocked_order_holds_back_the_batch(team: Actor, customer: Customer) -> None:
    good = make_order(team, customer, [line("SEATS")], state="signed")
    bad = make_order(team, customer, [line("SEATS")], state="signed", signed_total=D(1))
    with pytest.raises(Conflict) as refused:
        orders.activate_many([good.pk, bad.pk], actor=team)
    assert refused.value.record == bad.number
    assert not Order.objects.filter(state="active").exists()


def test_states_change_only_by_their_service(team: Actor, customer: Customer, writing: Writing) -> None:
    order = make_order(team, customer, [line("SEATS")])
    for change in ({"state": "active"}, {"state": "completed"}):
        with pytest.raises(DatabaseError, match="only by a declared transition"), writing():
            Order.objects.filter(pk=order.pk).update(**change)
    with pytest.raises(DatabaseError, match="initial states"), writing():
        Order.objects.bulk_create([Order(
            number="X", customer=customer, entity=customer.entity, currency="USD",
            starts_on=TERM_START, state="active", signed_on=TERM_START, activated_on=TERM_START,
        )])  # fmt: skip
    with pytest.raises(IntegrityError, match="signed_when"), writing():
        Order.objects.filter(pk=order.pk).update(state="signed")
    with pytest.raises(Conflict, match="needs the state signed, and it is draft"):
        orders.activate(order.pk, actor=team)


def test_duties_are_asked_for(team: Actor, customer: Customer) -> None:
    nobody = Actor.of(make_user("nobody"))
    order = make_order(team, customer, [line("SEATS")])
    for act in (orders.sign, orders.activate, orders.reopen, orders.cancel, orders.complete):
        with pytest.raises(NotAuthorised, match=order.number):
            act(order.pk, actor=nobody)


def test_an_empty_order_is_not_signed(team: Actor, customer: Customer) -> None:
    order = make_order(team, customer, [])
    with pytest.raises(Conflict, match="has no lines"):
        orders.sign(order.pk, actor=team)


def test_segments_of_one_line_never_share_a_day(team: Actor, customer: Customer, writing: Writing) -> None:
    order = make_order(team, customer, [line("SEATS")])
    segment = Segment.objects.get(line__order=order)
    segment.pk, segment.sequence, segment.starts_on = None, 2, dt.date(2027, 7, 31)
    with pytest.raises(IntegrityError, match="orders_segment_no_overlap"), writing():
        segment.save(force_insert=True)
    segment.starts_on, segment.ends_on = TERM_END, dt.date(2028, 8, 1)
    with writing():
        segment.save(force_insert=True)


def test_segments_are_opened_and_closed_only_by_amendments(
    team: Actor, customer: Customer, writing: Writing
) -> None:
    order = make_order(team, customer, [line("SEATS")], state="active")
    segment = Segment.objects.get(line__order=order)
    rows = Segment.objects.filter(pk=segment.pk)
    with pytest.raises(DatabaseError, match="keep their first value"), writing():
        rows.update(quantity=5)
    with pytest.raises(DatabaseError, match="cut short only by an amendment"), writing():
        rows.update(ends_on=dt.date(2027, 1, 1))
    with pytest.raises(DatabaseError, match="what was signed is not removed"), writing():
        rows.delete()
    with pytest.raises(DatabaseError, match="what was signed is not removed"), writing():
        connection.cursor().execute("DELETE FROM orders_orderline WHERE order_id = %s", [order.pk])
    with pytest.raises(DatabaseError, match="a line is added while it is a draft"), writing():
        OrderLine.objects.create(order=order, position=9, sku=segment.price.sku)
    segment.pk, segment.sequence, segment.starts_on, segment.ends_on = None, 2, TERM_END, None
    with pytest.raises(DatabaseError, match="a segment is opened while it is a draft"), writing():
        segment.save(force_insert=True)


def test_terms_of_an_active_order_are_frozen(team: Actor, customer: Customer, writing: Writing) -> None:
    order = make_order(team, customer, [line("SEATS")], state="active")
    for change in ({"billing_frequency": "year"}, {"starts_on": TERM_END}, {"signed_on": TERM_END}):
        with pytest.raises(DatabaseError, match="immutable"), writing():
            Order.objects.filter(pk=order.pk).update(**change)
    changed = orders.update_reference(order.pk, po_number="PO-9", actor=team, reason="customer sent it")
    assert changed.po_number == "PO-9"
    with pytest.raises(InvalidInput, match="by an amendment only"):
        orders.update_reference(order.pk, ends_on=TERM_END, actor=team)


def test_no_actor_no_write(customer: Customer) -> None:
    with pytest.raises(DatabaseError, match="No actor, no write"), transaction.atomic():
        Customer.objects.filter(pk=customer.pk).update(name="X")


def test_a_draft_is_cancelled_directly_and_an_active_order_is_not(team: Actor, customer: Customer) -> None:
    draft = make_order(team, customer, [line("SEATS")])
    cancelled = orders.cancel(draft.pk, actor=team, as_of=dt.date(2026, 8, 5), reason="lost")
    assert (cancelled.state, cancelled.cancelled_on) == ("cancelled", dt.date(2026, 8, 5))
    active = make_order(team, customer, [line("SEATS")], state="active")
    with pytest.raises(Conflict, match="cancelled from a date on, with an amendment"):
        orders.cancel(active.pk, actor=team)


def test_an_order_completes_at_the_end_of_its_term(team: Actor, customer: Customer) -> None:
    order = make_order(team, customer, [line("SEATS")], state="active")
    with pytest.raises(Conflict, match="runs until 2027-08-01"):
        orders.complete(order.pk, actor=team, as_of=dt.date(2027, 7, 31))
    assert orders.close_ended(actor=team, as_of=dt.date(2027, 7, 31)) == 0
    assert orders.close_ended(actor=team, as_of=TERM_END) == 1
    order.refresh_from_db()
    assert order.state == "completed"


def test_history_tells_who_and_why(team: Actor, customer: Customer) -> None:
    order = make_order(team, customer, [line("SEATS")])
    orders.sign(order.pk, actor=team, reason="DocuSign 4711")
    newest = Order.history.filter(id=order.pk).first()
    assert (newest.state, newest.history_user_id, newest.history_change_reason) == (
        "signed",
        team.user_id,
        "DocuSign 4711",
    )


def test_an_order_of_another_currency_or_entity_can_not_slip_in(
    team: Actor, catalogue: dict[str, Sku]
) -> None:
    irish = make_customer(team, "Initech", entity="IE")
    order = make_order(team, irish, [line("SEATS", 2)], state="active")
    assert (order.currency, order.time_zone) == ("EUR", "Europe/Dublin")
    assert Segment.objects.get(line__order=order).price.currency == "EUR"
