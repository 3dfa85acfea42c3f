"""Home and the queues behind it."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from o2c.access.models import User
from o2c.actor import Actor
from o2c.console import queues
from o2c.console.registry import Kpi, KpiValue, Queue, registry
from o2c.outbox.models import Delivery
from tests.console.conftest import SignIn, deliveries, person_of

pytestmark = pytest.mark.django_db

STUCK = "outbox.stuck"


def stuck_queue() -> Queue:
    queue = registry.get(Queue, STUCK)
    assert isinstance(queue, Queue)
    return queue


def test_home_shows_what_waits_for_the_duties_of_the_person(signed_in: SignIn, maker: Actor) -> None:
    deliveries(["stuck", "stuck", "done"], maker)

    page = signed_in("admin").get(reverse("admin:index")).content.decode()

    waiting = page.split('class="o-queues"')[1].split("</ul>")[0]
    assert '<span class="o-q-count">2</span>' in waiting
    assert "Events that are stuck" in waiting


def test_home_shows_nothing_of_queues_for_others(signed_in: SignIn, maker: Actor) -> None:
    deliveries(["stuck"], maker)

    page = signed_in("deal_desk").get(reverse("admin:index")).content.decode()

    assert "Events that are stuck" not in page


def test_an_empty_home_says_so(signed_in: SignIn) -> None:
    page = signed_in("admin").get(reverse("admin:index")).content.decode()

    assert "Nothing waits for you" in page
    assert "Events that are stuck" in page


def test_all_queues_are_counted_in_one_query(signed_in: SignIn, maker: Actor) -> None:
    deliveries(["stuck"], maker)
    user = person_of(signed_in("admin"))

    chosen = queues.queues_for(user)
    with CaptureQueriesContext(
        connection,
    ) as captured:
        found = queues.summaries(user, chosen)

    assert len(chosen) >= 2
    assert len(captured) == 1
    assert {s.queue.code: s.count for s in found}[STUCK] == 1


@pytest.mark.parametrize(
    "role",
    ["deal_desk", "order_management", "billing_ops", "collections", "revenue_accounting", "partner_ops",
     "approver", "auditor", "controller", "admin"],
)  # fmt: skip
def test_home_of_every_persona_stays_below_its_budget(role: str, signed_in: SignIn) -> None:
    client = signed_in(role)
    client.get(reverse("admin:figures"))  # figures that are kept for a minute are kept now

    with CaptureQueriesContext(connection) as captured:
        response = client.get(reverse("admin:index"))

    assert response.status_code == 200
    assert len(captured) <= 12, [q["sql"][:90] for q in captured]


@pytest.mark.parametrize(
    "role",
    ["deal_desk", "order_management", "billing_ops", "collections", "revenue_accounting", "partner_ops",
     "approver", "auditor", "controller", "admin"],
)  # fmt: skip
def test_the_first_home_of_the_day_stays_below_its_budget(role: str, signed_in: SignIn) -> None:
    client = signed_in(role)

    with CaptureQueriesContext(connection) as captured:
        client.get(reverse("admin:index"))

    assert len(captured) <= 25, [q["sql"][:90] for q in captured]


def test_a_queue_page_lists_rows_with_why_and_age(signed_in: SignIn, maker: Actor) -> None:
    deliveries(["stuck"], maker)

    page = signed_in("admin").get(reverse("admin:queue", args=(STUCK,))).content.decode()

    assert "InvalidInput: no price" in page
    assert "Retry now" in page
    assert "0 min" in page


def test_an_empty_queue_says_that_all_is_done(signed_in: SignIn) -> None:
    page = signed_in("admin").get(reverse("admin:queue", args=(STUCK,))).content.decode()

    assert "Every event has reached its consumers." in page


def test_a_queue_of_others_is_closed_and_an_unknown_one_not_found(signed_in: SignIn) -> None:
    client = signed_in("deal_desk")

    assert client.get(reverse("admin:queue", args=(STUCK,))).status_code == 403
    assert client.get(reverse("admin:queue", args=("no.such",))).status_code == 404


def test_after_an_act_the_next_row_of_the_queue_opens(signed_in: SignIn, maker: Actor) -> None:
    first, second = deliveries(["stuck", "stuck"], maker)
    client = signed_in("admin")

    def retry(delivery: Delivery) -> str:
        url = reverse("admin:outbox_delivery_act", args=(delivery.pk, "retry"))
        return str(client.post(f"{url}?queue={STUCK}", {"queue": STUCK})["Location"])

    following = reverse("admin:outbox_delivery_change", args=(second.pk,))
    assert retry(first) == f"{following}?queue={STUCK}"
    assert retry(second) == reverse("admin:queue", args=(STUCK,))


def test_a_queue_page_asks_no_more_for_more_rows(signed_in: SignIn, maker: Actor) -> None:
    client = signed_in("admin")
    url = reverse("admin:queue", args=(STUCK,))
    counts = []
    for more in (2, 10):
        deliveries(["stuck"] * more, maker)
        with CaptureQueriesContext(connection) as captured:
            client.get(url)
        counts.append(len(captured))

    assert counts[0] == counts[1]


def test_a_figure_is_computed_once_a_minute(signed_in: SignIn, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def value() -> KpiValue:
        asked.append(1)
        return KpiValue("42 %", note="of orders")

    monkeypatch.setitem(registry.entries, Kpi, {"x": Kpi("x", "Touchless", value, roles=["admin"])})
    client = signed_in("admin")

    first = client.get(reverse("admin:index")).content.decode()

    assert "42 %" not in first
    assert "42 %" in client.get(reverse("admin:figures")).content.decode()
    assert "42 %" in client.get(reverse("admin:index")).content.decode()
    assert len(asked) == 1


@pytest.mark.slow
def test_every_figure_and_chart_can_be_computed(signed_in: SignIn) -> None:
    """On an empty database, and in a company in which everything happened once."""
    from o2c.console import charts
    from o2c.console.registry import Chart
    from tests.factories.world import make_world

    for prepare in (lambda: None, make_world):
        prepare()
        for kpi in registry.all(Kpi):
            assert isinstance(kpi.value(), KpiValue), kpi.code
        for chart in registry.all(Chart):
            data = chart.data()
            assert all(len(series.values) == len(data.labels) for series in data.series), chart.code
            charts.svg(chart, data)


def test_registering_a_code_twice_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="registered twice"):
        registry.register(stuck_queue())


def test_every_queue_names_rows_of_a_model_with_a_page(signed_in: SignIn) -> None:
    from django.contrib import admin

    user = User.objects.get(username="system")
    for queue in registry.all(Queue):
        rows = queue.rows(user)
        record_admin = admin.site._registry.get(rows.model)
        assert record_admin is not None, f"{queue.code}: {rows.model.__name__} has no admin"
        assert not queue.act or record_admin.act(queue.act), f"{queue.code}: no act {queue.act}"  # type: ignore[attr-defined]
