"""Customers are made once, brought up to date by their CRM id, and never change entity or currency."""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from o2c.actor import Actor
from o2c.errors import Conflict, InvalidInput, NotAuthorised, NotFound
from orders.models import Contact, Customer
from orders.services import customers
from orders.services.inputs import ContactInput, CustomerInput
from tests.factories.access import make_user
from tests.factories.orders import make_customer, make_entity

pytestmark = pytest.mark.django_db

GLOBEX = CustomerInput(
    name="Globex",
    entity="US",
    currency="USD",
    country="US",
    salesforce_id="0061G00000HhviA",
    tax_id="12-3456789",
    contacts=(ContactInput("Hank Scorpio", "hank@globex.example"),),
    tax_registrations={"DE": "DE 136 695 976"},
)


def test_a_customer_is_made_with_its_contacts_and_tax_numbers(team: Actor) -> None:
    make_entity("US")
    customer = customers.upsert(GLOBEX, actor=team)
    customer.refresh_from_db()
    assert customer.number == f"C-{customer.pk:06d}"
    assert customer.salesforce_id == "0061G00000HhviAQAR"
    assert (customer.legal_name, customer.bill_to_name, customer.bill_to_country) == (
        "Globex",
        "Globex",
        "US",
    )
    assert customer.tax_id == "123456789"
    assert [(c.name, c.kind) for c in customer.contacts.all()] == [("Hank Scorpio", "billing")]
    assert [r.number for r in customer.tax_registrations.all()] == ["DE136695976"]


def test_a_second_upsert_changes_what_is_said_and_keeps_the_rest(team: Actor) -> None:
    make_entity("US")
    first = customers.upsert(GLOBEX, actor=team)
    again = CustomerInput(
        name="Globex Corporation",
        salesforce_id="0061G00000HhviAQAR",
        contacts=(ContactInput("H. Scorpio", "hank@globex.example"),),
    )
    second = customers.upsert(again, actor=team, reason="renamed")
    second.refresh_from_db()
    assert second.pk == first.pk
    assert (second.name, second.tax_id) == ("Globex Corporation", "123456789")
    assert [c.name for c in second.contacts.all()] == ["H. Scorpio"]
    versions = list(Customer.history.filter(id=first.pk).values_list("history_type", "history_change_reason"))
    assert versions == [("~", "renamed"), ("+", "")]


def test_the_same_upsert_leaves_no_trace(team: Actor) -> None:
    make_entity("US")
    customers.upsert(GLOBEX, actor=team)
    customers.upsert(GLOBEX, actor=team)
    assert Customer.history.count() == 1
    assert Contact.history.count() == 1


def test_entity_and_currency_never_change(team: Actor, customer: Customer) -> None:
    make_entity("IE")
    known = CustomerInput(name="Globex", number=customer.number)
    for change in (replace(known, entity="IE"), replace(known, currency="EUR")):
        with pytest.raises(Conflict, match="Entity and currency of a customer never change"):
            customers.upsert(change, actor=team)


def test_every_problem_is_said_at_once(team: Actor) -> None:
    make_entity("US")
    bad = replace(
        GLOBEX,
        name=" ",
        currency="USX",
        country="XY",
        time_zone="Mars/Base",
        payment_terms_days=400,
        billing_email="nobody",
        salesforce_id="0061G00000HhviAAAA",
        contacts=(ContactInput("", "x", "boss"),),
        tax_registrations={"DE": "1"},
    )
    with pytest.raises(InvalidInput) as refused:
        customers.upsert(bad, actor=team)
    assert set(refused.value.fields) == {
        "name",
        "currency",
        "country",
        "time_zone",
        "payment_terms_days",
        "billing_email",
        "salesforce_id",
        "contacts[0].name",
        "contacts[0].email",
        "contacts[0].kind",
        "tax_registrations.DE",
    }
    assert not Customer.objects.exists()


def test_a_new_customer_needs_entity_currency_and_country(team: Actor) -> None:
    with pytest.raises(InvalidInput, match="needs entity, currency, country"):
        customers.upsert(CustomerInput(name="Globex"), actor=team)


def test_unknown_number_and_entity_are_refused(team: Actor) -> None:
    with pytest.raises(NotFound, match="no customer C-999999"):
        customers.upsert(CustomerInput(name="Globex", number="C-999999"), actor=team)
    with pytest.raises(NotFound, match="no legal entity XX"):
        customers.upsert(replace(GLOBEX, entity="XX"), actor=team)


def test_the_duty_is_asked_for(customer: Customer) -> None:
    nobody = Actor.of(make_user("nobody"))
    with pytest.raises(NotAuthorised, match=r"orders\.customer.maintain"):
        customers.upsert(GLOBEX, actor=nobody)
    with pytest.raises(NotAuthorised, match=r"orders\.customer.deactivate"):
        customers.deactivate(customer.pk, actor=nobody)


def test_a_customer_goes_out_of_business_and_comes_back(team: Actor, customer: Customer) -> None:
    assert customers.deactivate(customer.pk, actor=team).state == "inactive"
    with pytest.raises(Conflict, match="needs the state active"):
        customers.deactivate(customer.pk, actor=team)
    assert customers.reactivate(customer.pk, actor=team).state == "active"


def test_contacts_come_and_go(team: Actor, customer: Customer) -> None:
    contact = customers.add_contact(
        customer.pk, name="Ann", email="ann@globex.example", kind="legal", actor=team
    )
    customers.remove_contact(contact.pk, actor=team, reason="left the company")
    assert not customer.contacts.exists()
    assert list(Contact.history.values_list("history_type", flat=True)) == ["-", "+"]


def test_the_database_holds_names_codes_and_uniqueness(team: Actor, customer: Customer, writing) -> None:  # type: ignore[no-untyped-def]
    for columns in ({"name": ""}, {"country": "us"}):
        with pytest.raises(IntegrityError), writing():
            Customer.objects.filter(pk=customer.pk).update(**columns)
    with pytest.raises(Exception, match="keep their first value"), writing():
        Customer.objects.filter(pk=customer.pk).update(currency="EUR")
    with pytest.raises(Exception, match="never deleted"), writing():
        Customer.objects.filter(pk=customer.pk).delete()
    make_customer(team, "Other", salesforce_id="0061G00000Ja7B6")
    with pytest.raises(IntegrityError), writing():
        Customer.objects.filter(pk=customer.pk).update(salesforce_id="0061G00000Ja7B6QAJ")


def test_many_customers_cost_as_many_statements_as_few(team: Actor) -> None:
    make_entity("US")

    def many(count: int, prefix: str) -> int:
        items = [
            replace(
                GLOBEX,
                name=f"{prefix}{n}",
                salesforce_id=None,
                contacts=(ContactInput("A", f"a{n}@x.example"),),
            )
            for n in range(count)
        ]
        with transaction.atomic(), CaptureQueriesContext(connection) as queries:
            customers.upsert_many(items, actor=team)
        return len(queries)

    assert many(3, "few") == many(300, "many")
