"""What the examples of docs/api.md find, and what people do between them."""

from __future__ import annotations

import datetime as dt

from o2c.access.authorise import duties_of_id
from o2c.access.models import User
from orders.models import Order
from orders.services import orders
from tests.factories.access import make_token
from tests.factories.billing import bill, billing_team, books
from tests.factories.orders import make_catalogue, orders_team
from tests.factories.revenue import deliver


def prepare() -> dict[str, str]:
    """Make the world of the page; returns the values of its variables."""
    books(billing_team())
    make_catalogue(orders_team())
    return {
        "TOKEN": _token("salesforce"),
        "METERING_TOKEN": _token("metering"),
        "BANK_TOKEN": _token("bank"),
    }


def sign_activate_and_bill(values: dict[str, str]) -> None:
    """What order management and billing do in the console, and the month's bill run."""
    clerk = orders_team()
    order = Order.objects.get(number=values["ORDER"])
    orders.sign(order.pk, actor=clerk, signed_on=dt.date(2026, 7, 28))
    orders.activate(order.pk, actor=clerk, as_of=dt.date(2026, 7, 28))
    bill(billing_team(), dt.date(2026, 8, 31), issue_on=dt.date(2026, 8, 31))
    deliver()


def _token(username: str) -> str:
    account = User.objects.get(username=username)
    return make_token(account, duties_of_id(account.pk))


ACTS = {"sign_activate_and_bill": sign_activate_and_bill}
