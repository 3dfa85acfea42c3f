"""The marketplace part of the walk: one buyer through AWS, three months, every figure explained."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from decimal import Decimal

import pytest

from billing.models import Invoice
from o2c import outbox
from o2c.demo.plan import company
from o2c.demo.plan.deals import deals
from o2c.demo.walk import billing, foundation, marketplace, metering, selling
from o2c.demo.walk.cast import Cast
from o2c.invariants import services as invariants
from partners.models import AwsAgreement, Break, MeteringRecord, MeteringResult, SettlementPosting

PASSWORD = "walk-the-order-to-cash"


@pytest.mark.django_db(transaction=True)
def test_one_buyer_through_aws_for_three_months() -> None:
    foundation.people(PASSWORD)
    cast = Cast.load()
    entities = foundation.entities(cast.carla)
    foundation.rates(cast.carla, 1)
    selling.build_catalogue(cast)
    plan = [
        replace(deal, starts_on=dt.date(2026, 8, 1), ends_on=dt.date(2027, 8, 1))
        for deal in deals(1, 4)
        if deal.channel == "aws"
    ]
    selling.sell(cast, plan, lambda count: None)
    outbox.drain()
    journals = 0

    with marketplace.aws() as market:
        for since, until in zip(company.MONTHS, company.MONTHS[1:], strict=False):
            billing.bill(cast, entities["US"], since)
            marketplace.subscribe(cast, entities["US"], market)
            metering.meter(
                cast, plan, seed=1, since=since, until=until, received_by=until, total=2000,
                advance=lambda count: None,
            )  # fmt: skip
            marketplace.meter(cast, since, until, market, lambda count: None)
            billing.bill(cast, entities["US"], since.replace(day=16))
            for day in (since.replace(day=7), until - dt.timedelta(days=1)):
                journals += marketplace.settle(cast, day, market)
        billing.bill(cast, entities["US"], company.MONTHS[-1])
        journals += marketplace.settle(cast, dt.date(2026, 11, 20), market)

        hours = (31 + 30 + 31) * 24
        assert MeteringRecord.objects.count() == 3 * hours
        accepted = MeteringResult.objects.filter(disposition="accepted").count()
        assert accepted == 3 * hours - 1
        assert len(market.server.metering.usage) == 3 * hours
        again = marketplace.settle(cast, dt.date(2026, 11, 20), market)
        assert (again, marketplace.meter(cast, *company.MONTHS[2:], market, lambda count: None)) == (0, 0)

    agreement = AwsAgreement.objects.get()
    assert agreement.registrations.get().state == "claimed"
    paid = SettlementPosting.objects.filter(rule="marketplace.payment")
    assert [row.effective_on.isoformat() for row in paid] == ["2026-10-05", "2026-10-08", "2026-11-04"]
    assert journals == SettlementPosting.objects.count()
    settled = Invoice.objects.filter(channel="aws", issue_date__lt=dt.date(2026, 10, 20)).order_by("pk")
    assert settled.count() >= 2
    assert sum(invoice.open_amount for invoice in settled) < Decimal("2.00")
    # The one thing that went wrong: somebody tried the API by hand, and AWS keeps the first quantity.
    live = Break.objects.filter(state__in=Break.LIVE)
    assert {(row.type, row.period) for row in live} == {
        ("METER_QTY", "2026-10"),
        ("QUANTITY", "2026-10"),
        ("PRICE", "2026-10"),
        ("OWN_INVOICE", "2026-10"),
    }, [(row.type, row.key, row.expected, row.actual, row.value) for row in live]
    outcomes = invariants.check(["partners"])
    assert [(o.invariant.code, o.sample, o.error) for o in outcomes if not o.passed] == []
