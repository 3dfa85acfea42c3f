"""Whom and where we bill: once a customer is in business it changes with a second person only."""

from __future__ import annotations

import pytest
from django.db import DatabaseError, connection, transaction

from o2c.actor import Actor, acting
from o2c.controls import approvals
from o2c.errors import Conflict, InvalidInput
from orders.models import Customer
from orders.services import customers
from orders.services.inputs import CustomerInput
from tests.factories.access import make_user
from tests.factories.billing import person
from tests.factories.orders import line, make_customer, make_order, orders_team

pytestmark = pytest.mark.django_db


@pytest.fixture
def team(db) -> Actor:
    return orders_team()


@pytest.fixture
def keeper(db) -> Actor:
    return person("mara", "master_data")


@pytest.fixture
def customer(team: Actor) -> Customer:
    return make_customer(team)


@pytest.fixture
def in_business(team: Actor, customer: Customer) -> Customer:
    make_order(team, customer, [line("SEATS", "1")], state="active")
    return customer


def test_a_prospect_is_corrected_by_whoever_keeps_customers(keeper, customer):
    customers.change_identity(customer.pk, billing_email="new@globex.example", actor=keeper)
    customer.refresh_from_db()
    assert customer.billing_email == "new@globex.example"


@pytest.mark.parametrize(
    "values",
    [{"billing_email": "new@globex.example"}, {"legal_name": "Other"}, {"bill_to_line1": "1 Elm St"}],
)
def test_a_customer_in_business_takes_a_second_person(keeper, in_business, values):
    approver = person("abe", "approver")
    with pytest.raises(Conflict) as refused:
        customers.change_identity(in_business.pk, **values, actor=keeper)
    assert refused.value.code == "approval_required"
    asked = customers.ask_change_identity(in_business.pk, **values, actor=keeper, reason="Letter of 1 May")
    approvals.approve(asked.pk, actor=approver, reason="Letter seen")
    in_business.refresh_from_db()
    assert {name: getattr(in_business, name) for name in values} == values


def test_the_crm_is_told_and_changes_nothing(team, in_business):
    told = CustomerInput(name=in_business.name, number=in_business.number, tax_id="98-7654321", country="US")
    with pytest.raises(Conflict) as refused:
        customers.upsert(told, actor=team)
    assert refused.value.code == "approval_required"
    assert Customer.objects.get(pk=in_business.pk).tax_id == in_business.tax_id


def test_what_is_no_part_of_it_and_what_is_no_value_are_refused(keeper, customer):
    for values in ({"payment_terms_days": "90"}, {"country": "XX"}, {"billing_email": "nobody"}):
        with pytest.raises(InvalidInput):
            customers.change_identity(customer.pk, **values, actor=keeper)


def test_by_hand_too(in_business, as_owner):
    chief = Actor.of(make_user("chief", superuser=True))

    def by_hand() -> None:
        with transaction.atomic(), acting(chief, reason="By hand"), connection.cursor() as cursor:
            cursor.execute(
                "UPDATE orders_customer SET billing_email = 'me@elsewhere.example' WHERE id = %s",
                [in_business.pk],
            )
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")

    with pytest.raises(DatabaseError, match="needs 1 approval"):
        by_hand()
    with as_owner(), pytest.raises(DatabaseError, match="needs 1 approval"):
        by_hand()
