"""What the examples of docs/api.md find: the company, its catalogue, and the token of the CRM."""

from __future__ import annotations

from o2c.access.authorise import duties_of_id
from o2c.access.models import User
from tests.factories.access import make_token
from tests.factories.orders import make_catalogue, make_entity, orders_team


def prepare() -> dict[str, str]:
    """Make the world of the page; returns the values of its variables."""
    make_entity("US")
    make_catalogue(orders_team())
    account = User.objects.get(username="salesforce")
    return {"TOKEN": make_token(account, duties_of_id(account.pk))}
