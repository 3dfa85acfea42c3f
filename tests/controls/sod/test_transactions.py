"""Nobody does both sides of a rule on one lineage, by whatever door, whoever they are."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse

from billing.models import Application, Invoice
from billing.services import applications, credit_memos
from o2c import clock
from o2c.access.models import RoleGrant, User
from o2c.access.services import grants
from o2c.actor import Actor, acting
from o2c.controls.sod import actual
from o2c.controls.sod.models import Denial, SodRule
from o2c.errors import NotAuthorised
from orders.models import Customer, Order
from orders.services import amendments, orders
from tests.factories.access import PASSWORD, change_rules, give_roles, make_account, make_token, make_user
from tests.factories.billing import Team, billing_team, books, post_invoice, receive
from tests.factories.orders import line, make_catalogue, make_customer, make_order, orders_team

pytestmark = pytest.mark.django_db

AS_OF = dt.date(2026, 8, 1)


@pytest.fixture
def entered() -> Order:
    """A draft order that the team entered."""
    team = orders_team()
    make_catalogue(team)
    return make_order(team, make_customer(team), [line("SEATS", 20)])


@pytest.fixture
def signed(entered: Order) -> Order:
    return entered


def wrote_a_line(who: User | Actor, order: Order) -> None:
    """This person, too, changed the draft; then it was signed."""
    with acting(who if isinstance(who, Actor) else Actor.of(who)):
        Order.objects.filter(pk=order.pk).update(po_number="PO-1")
    orders.sign(order.pk, signed_on=AS_OF, actor=orders_team())


Door = Callable[[Order, User], None]


def by_service(order: Order, user: User) -> None:
    orders.activate(order.pk, as_of=AS_OF, actor=Actor.of(user), reason="checked")


def by_shell(order: Order, user: User) -> None:
    with acting(Actor.of(user)):
        Order.objects.filter(pk=order.pk).update(state="active", activated_on=AS_OF)


def by_sql(order: Order, user: User) -> None:
    with acting(Actor.of(user)), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE orders_order SET state = 'active', activated_on = %s WHERE id = %s", [AS_OF, order.pk]
        )


@pytest.mark.parametrize("door", [by_service, by_shell, by_sql])
@pytest.mark.parametrize("superuser", [False, True])
def test_whoever_entered_a_line_does_not_activate(signed: Order, door: Door, superuser: bool) -> None:
    omar = make_user("omar", "order_management", superuser=superuser)
    wrote_a_line(omar, signed)
    with pytest.raises(NotAuthorised, match="S10: omar did"):
        door(signed, omar)
    signed.refresh_from_db()
    assert signed.state == "signed"
    denial = Denial.objects.get()
    assert (denial.rule, denial.actor_label) == ("S10", "omar")


def test_the_button_refuses_as_the_service_does(signed: Order, client: Client) -> None:
    omar = make_user("omar", "order_management")
    wrote_a_line(omar, signed)
    client.login(username="omar", password=PASSWORD)
    address = reverse("admin:orders_order_act", args=(signed.pk, "activate"))
    answer = client.post(address, {"as_of": str(AS_OF), "reason": "checked"}, follow=True)
    assert "S10: omar did" in answer.content.decode()
    signed.refresh_from_db()
    assert signed.state == "signed"


@pytest.mark.parametrize("who", ["its owner", "the person it acts for", "the machine itself"])
def test_a_machine_is_no_way_around(signed: Order, who: str) -> None:
    omar = make_user("omar", "order_management")
    robot = make_account("robot", owner=omar)
    behind = {
        "its owner": Actor.of(robot),
        "the person it acts for": Actor.of(make_account("other"), on_behalf_of=omar),
        "the machine itself": Actor.of(robot),
    }[who]
    wrote_a_line(behind, signed)
    with pytest.raises(NotAuthorised, match="S10"):
        by_service(signed, omar)


def test_somebody_else_activates(signed: Order) -> None:
    wrote_a_line(make_user("anna", "order_entry"), signed)
    by_service(signed, make_user("omar", "order_management"))
    signed.refresh_from_db()
    assert signed.state == "active"
    assert not Denial.objects.exists()


def test_a_rule_that_is_off_in_the_table_is_off(signed: Order) -> None:
    omar = make_user("omar", "order_management")
    wrote_a_line(omar, signed)
    change_rules(SodRule.objects.filter(code="S10"), at_transaction=False)
    by_service(signed, omar)
    signed.refresh_from_db()
    assert signed.state == "active"


def test_whoever_keeps_the_customer_enters_no_order_for_it_later(signed: Order) -> None:
    """A role taken away does not take the rule away: the history is asked, not the grants."""
    anna = make_user("anna", "order_entry")
    with acting(Actor.of(anna)):
        Customer.objects.filter(pk=signed.customer_id).update(payment_terms_days=45)
    with pytest.raises(NotAuthorised, match="S01: anna did .Maintain customer master."):
        make_order(Actor.of(anna), signed.customer, [line("SEATS", 5)])


def test_nor_the_other_way_round() -> None:
    team = orders_team()
    make_catalogue(team)
    customer = make_customer(team)
    anna = make_user("anna", "order_entry")
    make_order(Actor.of(anna), customer, [line("SEATS", 5)])
    with pytest.raises(NotAuthorised, match="S01: anna did .Enter quotes"), acting(Actor.of(anna)):
        Customer.objects.filter(pk=customer.pk).update(payment_terms_days=45)


def test_whoever_drafted_an_amendment_does_not_apply_it() -> None:
    team = orders_team()
    make_catalogue(team)
    order = make_order(team, make_customer(team), [line("SEATS", 20)], state="active")
    drafted = amendments.draft(
        order.pk,
        kind="quantity",
        effective_on=dt.date(2026, 9, 1),
        changes={"lines": [{"line": order.lines.get().pk, "quantity": "25"}]},
        as_of=dt.date(2026, 8, 15),
        actor=team,
        reason="asked for",
    )
    omar = make_user("omar", "order_management")
    with acting(Actor.of(omar)):
        type(drafted).objects.filter(pk=drafted.pk).update(reason="reworded by omar")
    with pytest.raises(NotAuthorised, match="S10: omar"):
        amendments.apply(drafted.pk, as_of=dt.date(2026, 9, 1), actor=Actor.of(omar), reason="ok")


@pytest.fixture
def billed() -> tuple[Team, Invoice]:
    team = billing_team()
    books(team)
    customer = make_customer(team.orders)
    return team, post_invoice(team, customer, "200.00")


def apply(invoice: Invoice, receipt: Any, who: User) -> None:
    applications.apply(
        receipt.pk, [(invoice.pk, Decimal("60.00"))], applied_on=dt.date(2026, 9, 1), actor=Actor.of(who)
    )


def test_whoever_recorded_the_money_does_not_apply_it(billed: tuple[Team, Invoice]) -> None:
    team, invoice = billed
    receipt = receive(team, invoice.customer, "60.00")
    colin = make_user("colin", "collections")
    apply(invoice, receive(team, invoice.customer, "60.00"), make_user("cora", "collections"))
    with acting(Actor.of(colin)):
        clone = type(receipt).objects.get(pk=receipt.pk)
        clone.pk, clone.number, clone.external_id = None, "R-COLIN", "colin-1"
        clone._state.adding = True
        clone.save()
    with pytest.raises(NotAuthorised, match="S24: colin"):
        apply(invoice, clone, colin)
    assert not Application.objects.filter(receipt=clone).exists()


def test_whoever_drafted_a_credit_does_not_apply_cash(billed: tuple[Team, Invoice]) -> None:
    team, invoice = billed
    bea = make_user("bibi", "billing_ops")
    credit_memos.draft(
        invoice.pk, reason_code="goodwill", issue_date=dt.date(2026, 9, 1), actor=Actor.of(bea),
        reason="goodwill",
    )  # fmt: skip
    receipt = receive(team, invoice.customer, "60.00")
    with pytest.raises(NotAuthorised, match="S1[78]: bibi"), acting(Actor.of(bea)):
        Application.objects.create(
            kind="receipt", receipt=receipt, invoice=invoice, amount=Decimal("60.00"), applied_on="2026-09-01"
        )


def test_within_the_window_after_granting_nothing_financial_is_done(signed: Order) -> None:
    """S49: the administrator's role is taken back; who had it is refused for thirty days all the same."""
    eve = make_user("eve", "admin")
    grants.grant(make_user("friend"), "auditor", actor=Actor.of(eve), reason="Joins the audit")
    with acting(Actor.installer(), reason="test set-up"):
        RoleGrant.objects.filter(user=eve).update(valid_to=clock.now())
    give_roles(eve, "order_management")
    orders.sign(signed.pk, signed_on=AS_OF, actor=orders_team())
    with pytest.raises(NotAuthorised, match="S49: eve did .* in the last 30 days"):
        by_service(signed, eve)


def test_what_was_done_is_reported_with_its_records(signed: Order) -> None:
    omar = make_user("omar", "order_management")
    wrote_a_line(omar, signed)
    change_rules(SodRule.objects.filter(code="S10"), at_transaction=False)
    by_service(signed, omar)
    since = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    found = [row for row in actual.violations(since) if row.username == "omar"]
    assert [(row.rule, row.second_record, row.excepted) for row in found] == [
        ("S10", f"orders.order:{signed.pk}", False)
    ]
    assert {"orders-team"} == {row.username for row in actual.violations(since) if row.excepted}
    assert ("S10", "omar") in {(habit.rule, habit.username) for habit in actual.habits(since)}


def test_the_api_refuses_a_machine_that_did_the_other_half(client: Client) -> None:
    team = orders_team()
    make_catalogue(team)
    owner = make_user("olga", "master_data")
    customer = make_customer(Actor.of(owner))
    robot = make_account("robot", "order_entry")
    secret = make_token(robot, ["orders.order.draft", "orders.read"])
    with acting(Actor.of(robot)):
        Customer.objects.filter(pk=customer.pk).update(payment_terms_days=60)
    answer = client.post(
        reverse("api-orders"),
        {
            "customer": customer.number,
            "starts_on": "2026-08-01",
            "ends_on": "2027-08-01",
            "lines": [{"sku": "SEATS", "quantity": "5"}],
        },
        content_type="application/json",
        headers={"authorization": f"Bearer {secret}", "idempotency-key": "one"},
    )
    assert answer.status_code == 403, answer.content
    assert "S01: robot" in answer.json()["detail"]
    assert Denial.objects.get(code="segregation").rule == "S01"
