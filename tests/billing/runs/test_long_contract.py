"""Ten years of history, 2,000 segments, 120 posted months: nothing is due twice, and no query for a segment.

How long it takes is measured by `python -m bench.long_contract`.
"""

from __future__ import annotations

from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing.models import Charge
from billing.services import rating
from o2c.actor import acting
from orders.models import Customer, Segment
from tests.billing.recalculation import histories
from tests.factories.billing import Team
from tests.factories.long_contract import END, billed


def test_a_long_contract_is_read_with_a_handful_of_queries(team: Team, customer: Customer) -> None:
    with acting(team.orders, reason="test"):
        order, charges = billed(histories.make_world(customer), 500)
    assert Segment.objects.filter(line__order=order).count() == 2000
    assert Charge.objects.values("period_from").distinct().count() == 120
    assert charges == Charge.objects.count() > 2000

    with CaptureQueriesContext(connection) as queries:
        assert rating.due([order], END) == {order: []}
    assert len(queries) <= 8
