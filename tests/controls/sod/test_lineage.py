"""Who wrote what a record is made of, by whatever door."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from o2c.access.models import User
from o2c.access.system import system_actor
from o2c.actor import Actor, acting
from o2c.controls.sod.declare import declared
from o2c.controls.sod.lineage import authors
from o2c.controls.sod.paths import pairs, target, written
from orders.models import Customer, Order
from tests.factories.access import make_account, make_user
from tests.factories.orders import line, make_catalogue, make_customer, make_order, orders_team

pytestmark = pytest.mark.django_db


@pytest.fixture
def order() -> Order:
    team = orders_team()
    make_catalogue(team)
    return make_order(team, make_customer(team), [line("SEATS", 20)])


def test_every_declared_path_leads_to_a_table_that_keeps_its_writers() -> None:
    for label, paths in declared().lineage.items():
        for path in ("", *paths):
            assert written(target(label, path)).table
            assert pairs(label, path).startswith("SELECT")
    for acts in declared().acts.values():
        assert all(written(target(act.model, "")) for act in acts)


def test_whoever_wrote_a_line_or_the_customer_is_an_author_of_the_order(order: Order) -> None:
    anna, bert = make_user("anna"), make_user("bert")
    with acting(Actor.of(anna)):
        order.lines.update(description="Seats, reworded")  # no service, no signal
    with acting(Actor.of(bert)), connection.cursor() as cursor:
        cursor.execute("UPDATE orders_customer SET name = 'Renamed' WHERE id = %s", [order.customer_id])
    team = User.objects.get(username="orders-team")
    assert authors([order]) == {order: frozenset({team.pk, anna.pk, bert.pk})}
    assert authors([f"orders.order:{order.pk}"])[f"orders.order:{order.pk}"] >= {anna.pk, bert.pk}
    assert bert.pk not in authors([order.lines.get()])[order.lines.get()]


def test_behind_a_machine_stands_its_owner_and_whoever_it_acts_for(order: Order) -> None:
    owner, behalf = make_user("olga"), make_user("paul")
    robot = make_account("robot", owner=owner)
    with acting(Actor.of(robot, on_behalf_of=behalf)):
        Customer.objects.filter(pk=order.customer_id).update(name="By a machine")
    assert {robot.pk, owner.pk, behalf.pk} <= authors([order])[order]


def test_the_products_own_account_is_nobody(order: Order) -> None:
    before = authors([order])
    with acting(system_actor()):
        order.lines.update(description="By a task")
    assert authors([order]) == before


def test_as_many_queries_for_many_subjects_as_for_one(order: Order) -> None:
    others = [make_order(orders_team(), order.customer, [line("SEATS", n)]) for n in (1, 2, 3)]
    with CaptureQueriesContext(connection) as one:
        authors([order])
    with CaptureQueriesContext(connection) as many:
        authors([order, *others])
    assert len(many) == len(one)
