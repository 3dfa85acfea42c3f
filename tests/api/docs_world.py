"""What the examples of docs/api.md find, and what people do between them: the demonstration's company."""

from __future__ import annotations

import datetime as dt

from billing.services import findings, runs
from o2c import outbox
from o2c.access.authorise import duties_of_id
from o2c.access.models import User
from o2c.demo.walk import journey
from o2c.demo.walk.cast import Cast
from o2c.ledger.models import LegalEntity
from orders.models import Order
from orders.services import orders
from tests.factories.access import PASSWORD, make_token


class Quiet:
    """A report of the walk that nobody reads."""

    def step(self, label: str, total: int | None = None) -> journey.Advance:
        return lambda count: None


def prepare() -> dict[str, str]:
    """Make the world of the page; returns the values of its variables."""
    journey.begin(journey.Scale(customers=0), PASSWORD, Quiet())
    return {
        "TOKEN": _token("salesforce"),
        "METERING_TOKEN": _token("metering"),
        "BANK_TOKEN": _token("bank"),
    }


def sign_activate_and_bill(values: dict[str, str]) -> None:
    """What order management and billing do in the console, and the month's bill run."""
    cast = Cast.load()
    order = Order.objects.get(number=values["ORDER"])
    orders.sign(order.pk, actor=cast.olivia, signed_on=dt.date(2026, 7, 28))
    orders.activate(order.pk, actor=cast.omar, as_of=dt.date(2026, 7, 28))
    us = LegalEntity.objects.get(code="US")
    run = runs.plan(entity_id=us.pk, through=dt.date(2026, 8, 31), actor=cast.bea)
    run = runs.calculate(run.pk, actor=cast.bea)
    findings.acknowledge_all(run.pk, actor=cast.bea, reason="Looked at")
    runs.release(run.pk, actor=cast.anton)
    runs.post(run.pk, actor=cast.bea)
    outbox.drain()


def _token(username: str) -> str:
    account = User.objects.get(username=username)
    return make_token(account, duties_of_id(account.pk))


ACTS = {"sign_activate_and_bill": sign_activate_and_bill}
