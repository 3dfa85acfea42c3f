"""One agreement from usage to cash: metered, billed by us and by AWS, fee, payment, and every leg at zero."""

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.db.models import Sum

from billing.models import Application, DunningNotice, Invoice
from o2c.actor import acting
from o2c.invariants import services as invariants
from o2c.ledger.models import JournalLine
from partners.domain.window import Window
from partners.models import Break, ReconciliationRun, SettlementPosting, SettlementShare
from partners.services import metering, reconcile, sending, settlement
from tests.factories.billing import billing_team, books
from tests.factories.partners import (
    Aws,
    Shop,
    bill_month,
    deliver,
    fake_aws,
    feeds,
    hour,
    make_shop,
    partner_team,
    use,
)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def shop(transactional_db: None) -> Shop:
    books(billing_team())
    return make_shop(partner_team())


@pytest.fixture
def aws(shop: Shop) -> Iterator[Aws]:
    with fake_aws(shop) as running:
        yield running


def meter_day(shop: Shop, aws: Aws, day: int, *, month: int = 8) -> None:
    for hour_ in (0, 4, 8, 12, 16, 20):
        now = aws.set_clock(hour(day, hour_, 15, month=month))
        metering.freeze_due(as_of=now, actor=shop.team)
        sending.send_due(as_of=now, client=aws.client, actor=shop.team)


def use_august(shop: Shop) -> None:
    """400,000,800 tokens in August, all on two days."""
    use(shop, hour(3, 9), "250000700")
    use(shop, hour(20, 15), "150000100")


def meter_august(shop: Shop, aws: Aws) -> None:
    """August at once, with windows opened on both sides; the hourly rhythm has its own test."""
    use_august(shop)
    with acting(shop.team, reason="test"):
        shop.channel.capability["metering"] |= {"accepts_hours": 999, "month_grace_hours": 99}
        shop.channel.save()
    wide = timedelta(hours=999)
    aws.server.metering.window = Window(accepts_for=wide, month_grace=wide)
    now = aws.set_clock(hour(1, 0, 15, month=9))
    metering.freeze_due(as_of=now, actor=shop.team)
    sending.send_due(as_of=now, client=aws.client, actor=shop.team)


def balance(account: str) -> Decimal:
    totals = JournalLine.objects.filter(account__code=account).aggregate(d=Sum("debit"), c=Sum("credit"))
    return (totals["d"] or Decimal(0)) - (totals["c"] or Decimal(0))


def settle(shop: Shop, aws: Aws, on: tuple[int, int], **values: object) -> list[ReconciliationRun]:
    """Deliver the feeds of a day, post, reconcile."""
    month, day = on
    as_of = hour(day, 6, 30, month=month)
    deliver(shop, feeds(aws, [shop], as_of, **values), as_of)
    settlement.post(shop.channel, as_of=as_of.date(), actor=shop.team)
    return reconcile.run(shop.channel, as_of=as_of, actor=shop.team)


def test_a_month_from_usage_to_cash(shop: Shop, aws: Aws) -> None:
    use_august(shop)
    for day in range(1, 32):
        meter_day(shop, aws, day)
    meter_day(shop, aws, 1, month=9)
    assert sum(row["quantity"] for row in aws.usage) == 400_000
    assert len({row["record_id"] for row in aws.usage}) == 744 + 20

    invoice = bill_month(shop, 8)
    assert (invoice.channel, invoice.net, invoice.tax) == ("aws", Decimal("1000.00"), Decimal(0))
    assert balance("1105") == Decimal("1000.00")

    # AWS bills on 2 September and keeps 3 %: what is open of our invoice is what AWS will pay.
    runs = settle(shop, aws, (9, 6))
    invoice.refresh_from_db()
    assert (balance("6200"), balance("1105")) == (Decimal("30.00"), Decimal("970.00"))
    assert invoice.open_amount == Decimal("970.00")
    # Only what is paid differs from what is billed: 970.00, and it is not due yet.
    assert {run.leg: run.explained for run in runs if run.explained} == {"L7": Decimal("970.00")}
    assert not Break.objects.exists()

    # The buyer pays on 2 October, AWS pays us on the 5th.
    runs = settle(shop, aws, (10, 6))
    invoice.refresh_from_db()
    assert (balance("1000"), balance("1105")) == (Decimal("970.00"), Decimal(0))
    assert (invoice.open_amount, invoice.applied) == (Decimal(0), Decimal("1000.00"))
    assert all(run.explained == 0 for run in runs if run.leg != "L9N")
    assert not Break.objects.exists()
    assert not DunningNotice.objects.exists()


def test_delivering_and_posting_again_changes_nothing(shop: Shop, aws: Aws) -> None:
    meter_august(shop, aws)
    bill_month(shop, 8)
    settle(shop, aws, (10, 6))
    before = (JournalLine.objects.count(), SettlementPosting.objects.count(), Application.objects.count())

    as_of = hour(6, 6, 30, month=10)
    files = deliver(shop, feeds(aws, [shop], as_of), as_of)
    written = settlement.post(shop.channel, as_of=as_of.date(), actor=shop.team)

    assert written == 0
    assert (
        JournalLine.objects.count(),
        SettlementPosting.objects.count(),
        Application.objects.count(),
    ) == before
    assert len(files) == len({file.pk for file in files})


def test_a_returned_payment_reopens_the_invoice_until_aws_pays_again(shop: Shop, aws: Aws) -> None:
    meter_august(shop, aws)
    invoice = bill_month(shop, 8)
    failing = {"failing_months": frozenset({"2026-08"})}

    settle(shop, aws, (10, 7), **failing)
    invoice.refresh_from_db()
    assert (balance("1000"), invoice.open_amount) == (Decimal(0), Decimal("970.00"))
    assert [row.type for row in Break.objects.filter(state="open")] == ["FAILED_DISB"]

    settle(shop, aws, (10, 9), **failing)
    invoice.refresh_from_db()
    assert (balance("1000"), balance("1105"), invoice.open_amount) == (
        Decimal("970.00"),
        Decimal(0),
        Decimal(0),
    )
    assert [row.state for row in Break.objects.all()] == ["cleared"]
    assert SettlementShare.objects.filter(application__isnull=False).count() == 4


def test_a_fee_that_comes_before_our_invoice_stays_beside_it(shop: Shop, aws: Aws) -> None:
    meter_august(shop, aws)
    settle(shop, aws, (9, 3))
    invoice = bill_month(shop, 8)
    settle(shop, aws, (10, 6))

    invoice.refresh_from_db()
    assert (invoice.open_amount, balance("1105"), balance("6200")) == (
        Decimal(0),
        Decimal(0),
        Decimal("30.00"),
    )


def test_a_wrong_fee_is_a_break_of_its_amount(shop: Shop, aws: Aws) -> None:
    """Known answer 37 by its kind: the rate that AWS applied is not the one of the table."""
    meter_august(shop, aws)
    bill_month(shop, 8)
    with acting(shop.team, reason="renewal"):
        shop.agreement.programme = "renewal"
        shop.agreement.save()

    settle(shop, aws, (9, 6))

    row = Break.objects.get(type="FEE")
    assert (row.expected, row.actual, row.value) == (Decimal(-15), Decimal(-30), Decimal(15))


def test_an_hour_that_aws_never_got_shows_on_two_legs(shop: Shop, aws: Aws) -> None:
    use(shop, hour(3, 9), "250000000")
    for day in (1, 2):
        meter_day(shop, aws, day)
    aws.set_clock(hour(4, 12))
    metering.freeze_due(as_of=hour(4, 12), actor=shop.team)
    sending.send_due(as_of=hour(4, 12), client=aws.client, actor=shop.team)

    runs = {run.leg: run for run in reconcile.run(shop.channel, as_of=hour(4, 12), actor=shop.team)}

    assert (runs["L1"].left_total, runs["L1"].right_total) == (Decimal(250_000), Decimal(0))
    assert [(row.type, row.value) for row in Break.objects.all()] == [("METER_LATE", Decimal("625.00"))]


def test_an_unpaid_invoice_becomes_a_short_payment_after_its_due_date(shop: Shop, aws: Aws) -> None:
    meter_august(shop, aws)
    bill_month(shop, 8)
    late = {"payout_days": 40}

    settle(shop, aws, (10, 5), **late)
    assert not Break.objects.exists()

    settle(shop, aws, (10, 20), **late)
    row = Break.objects.get()
    assert (row.type, row.value, row.evidence["lateness"]) == (
        "SHORT_PAY",
        Decimal("970.00"),
        "1-30 days late",
    )


def test_every_invariant_of_partners_holds_after_the_month(shop: Shop, aws: Aws) -> None:
    meter_august(shop, aws)
    bill_month(shop, 8)
    settle(shop, aws, (10, 9), failing_months=frozenset({"2026-08"}))

    outcomes = invariants.check(["partners"])
    assert [(o.invariant.code, o.sample, o.error) for o in outcomes if not o.passed] == []
    assert len(outcomes) >= 9


def test_what_aws_collects_is_not_overdue_with_us(shop: Shop, aws: Aws) -> None:
    meter_august(shop, aws)
    invoice = bill_month(shop, 8)

    assert invoice not in Invoice.objects.overdue(date(2027, 6, 1))
    assert invoice not in Invoice.objects.payable()
