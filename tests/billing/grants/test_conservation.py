"""Received = billed + included + drawn down + waived + pending, computed from both ends."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from fractions import Fraction

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from billing.models import Grant
from billing.services import conservation, retractions
from o2c.access.models import User
from orders.models import Customer
from tests.factories.billing import Team, bill
from tests.factories.grants import commit_order, tokens, use
from tests.factories.orders import line, make_order, orders_team

D = Decimal
SEP = dt.date(2026, 9, 1)
TODAY = dt.date(2026, 10, 1)


def units(amount: str) -> Fraction:
    return Fraction(tokens(amount))


def test_every_token_is_somewhere(team: Team, customer: Customer) -> None:
    """1,500.00 in August: 1,000.00 by credit, 500.00 in money; 40.00 waived, 70.00 not billed yet."""
    order = commit_order(team, customer, {}, terms={"late_waive_below": D("50.00")})
    use(customer, "1500.00", "2026-08-10")
    bill(team, SEP)
    use(customer, "40.00", "2026-08-11", seen_on="2026-09-02")
    bill(team, SEP)
    use(customer, "70.00", "2026-09-05")

    with CaptureQueriesContext(connection) as captured:
        (found,) = conservation.of_orders([order.pk], TODAY)

    assert found.received == units("1610.00")
    assert (found.billed, found.drawn, found.waived) == (units("500.00"), units("1000.00"), units("40.00"))
    assert (found.pending, found.included, found.outside, found.missing) == (units("70.00"), 0, 0, 0)
    assert len(captured) == 10


def test_included_units_and_retracted_events(team: Team, customer: Customer) -> None:
    """The first 100.00 worth is included; of 160.00 an event of 20.00 is taken back."""
    meter = orders_team("usage-team", "billing.usage.ingest", "billing.usage.retract")
    spec = {
        "model": "overage",
        "included": tokens("100.00"),
        "price": {"model": "per_unit", "unit_amount": "0.0000025"},
    }
    order = make_order(
        team.orders,
        customer,
        [line("TOKENS", price_override=spec, override_reason="Agreed")],
        state="active",
    )
    use(customer, "140.00", "2026-08-10", "a")
    use(customer, "20.00", "2026-08-11", "b")
    bill(team, SEP)
    retractions.retract("gateway", [{"id": "r", "retracts": "b"}], actor=meter)

    (before,) = conservation.of_orders([order.pk], TODAY)
    bill(team, SEP)
    (after,) = conservation.of_orders([order.pk], TODAY)

    assert (before.billed, before.included, before.pending) == (units("60"), units("100"), -units("20"))
    assert (after.billed, after.included, after.pending) == (units("40"), units("100"), 0)
    assert before.missing == after.missing == 0


def test_an_event_that_bypassed_the_totals_is_missing(team: Team, customer: Customer) -> None:
    """What the engine rates comes from the hours: an event that is not in them shows as missing."""
    order = commit_order(team, customer)
    use(customer, "10.00", "2026-08-10")
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM billing_usagehour")

    (found,) = conservation.of_orders([order.pk], TODAY)

    assert found.missing == units("10.00")


def test_the_page_says_that_nothing_is_lost(team: Team, customer: Customer, client: Client) -> None:
    order = commit_order(team, customer, {})
    use(customer, "1500.00", "2026-08-10")
    bill(team, SEP)
    client.force_login(User.objects.get(pk=team.ops.user_id), backend="o2c.access.backends.DutyBackend")

    page = client.get(reverse("admin:billing_usage_balance") + "?as_of=2026-09-30").content.decode()
    grants_page = client.get(reverse("admin:billing_grant_changelist")).content.decode()
    grant = Grant.objects.get()
    one = client.get(reverse("admin:billing_grant_change", args=(grant.pk,))).content.decode()

    assert "Nothing is lost: 1 lines" in page
    assert order.number in page
    assert "Globex" in grants_page
    assert "US-INV-2026-000001" in one
