"""The pages of credit: a customer's limit, the queue of what waits, and the buttons that decide."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from o2c import clock
from o2c.actor import Actor
from orders.models import CreditRelease, Customer, Order
from orders.selectors.credit import standing_of
from orders.services import credit
from tests.factories.access import make_user
from tests.factories.billing import person
from tests.factories.orders import line, make_order
from tests.orders.test_console import client_of, do, page

pytestmark = pytest.mark.django_db


@pytest.fixture
def analyst(db) -> Client:
    cache.clear()
    client = Client()
    client.force_login(make_user("cora", "credit"), backend="o2c.access.backends.DutyBackend")
    return client


@pytest.fixture
def held_back(team: Actor, customer: Customer, analyst: Client) -> Order:
    """Worth 4,800, of a customer who may owe 1,000."""
    credit.change(
        customer.pk,
        amount=Decimal(1000),
        review_on=clock.today() + dt.timedelta(days=100),
        actor=person("cora", "credit"),
        reason="Young company",
    )
    return make_order(team, customer, [line("SEATS", "10")], state="signed")


def test_a_customer_shows_limit_exposure_and_who_decided(analyst: Client, held_back: Order) -> None:
    shown = analyst.get(page(Customer, held_back.customer_id)).content.decode()
    for text in ("Headroom", "1,000.00", "Young company", "cora"):
        assert text in shown


def test_the_queue_says_why_and_its_button_lets_the_order_through(analyst: Client, held_back: Order) -> None:
    queue = reverse("admin:queue", args=["orders.credit_hold"])
    shown = analyst.get(queue).content.decode()
    assert held_back.number in shown
    assert "3,800.00 too much" in shown
    assert do(analyst, held_back, "release_credit", reason="Parent guarantees").status_code == 302
    assert CreditRelease.objects.get(order=held_back).covers == 4800
    assert "Parent guarantees" in analyst.get(page(Order, held_back.pk)).content.decode()
    assert held_back.number not in analyst.get(queue).content.decode()


def test_a_limit_is_decided_in_a_dialog_and_a_large_one_is_refused_there(
    analyst: Client, held_back: Order
) -> None:
    fields = {"review_on": (clock.today() + dt.timedelta(days=50)).isoformat(), "reason": "Accounts seen"}
    assert do(analyst, held_back.customer, "change_credit", amount="9000", **fields).status_code == 302
    assert standing_of(held_back.customer).limit == 9000
    answer = do(analyst, held_back.customer, "change_credit", amount="900000", **fields)
    assert "Needs approval" in answer.content.decode() or "needs approval" in answer.content.decode()
    assert standing_of(held_back.customer).limit == 9000


def test_order_entry_sees_why_and_may_not_release(held_back: Order) -> None:
    clerk = client_of("order_entry")
    assert "credit limit of" in clerk.get(page(Order, held_back.pk)).content.decode()
    do(clerk, held_back, "release_credit", reason="It is fine")
    assert not CreditRelease.objects.exists()
