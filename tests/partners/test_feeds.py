"""Feed files: by header name, appended, corrected, parked, never twice."""

import csv
import io
import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from decimal import Decimal
from pathlib import Path

import pytest
from django.db import connection
from django.db.models import Sum

from o2c.actor import Actor
from o2c.errors import InvalidInput
from o2c.ledger.models import JournalLine
from partners.domain.balance import balance, proofs
from partners.domain.feeds import BILLING_EVENT_COLUMNS, FEEDS
from partners.models import BillingEvent, Break, Channel, FeedException, FeedFile, FeedRow, SettlementPosting
from partners.selectors.events import current
from partners.services import feeds, reconcile, settlement
from tests.factories.partners import SELLER_ACCOUNT, Shop, hour, make_channel

pytestmark = pytest.mark.django_db

SAMPLES = Path(os.environ.get("O2C_SAMPLE_DATA", "/nonexistent")) / "aws_marketplace"
"""AWS's documented example files, when their directory is given."""

COLUMNS = (
    "valid_from",
    "insert_date",
    "update_date",
    "delete_date",
    *BILLING_EVENT_COLUMNS,
    "agreement_id",
    "new_one",
)
Row = dict[str, str]
AsOwner = Callable[[], AbstractContextManager[None]]


def text(rows: Sequence[Row], columns: Sequence[str] = COLUMNS) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def event(
    event_id: str, kind: str, amount: str, *, action: str = "INVOICED", at: str = "2026-09-02", **more: str
) -> Row:
    stamp = f"{at}T00:00:00Z"
    return {
        "valid_from": stamp, "insert_date": stamp, "update_date": stamp, "billing_event_id": event_id,
        "action": action, "transaction_type": kind, "amount": amount, "currency": "USD",
        "invoice_date": stamp,
        "agreement_id": "agmt-example0001", "invoice_id": "900", **more,
    }  # fmt: skip


def take(shop: Shop, content: str, feed: str = "billing_event", name: str = "data.csv") -> FeedFile:
    return feeds.import_text(
        content, name=name, feed=feed, channel=shop.channel, snapshot_at=hour(10, 0, month=9), actor=shop.team
    )


MANUFACTURER = [
    event("A1", "SELLER_REV_SHARE", "73.5"),
    event("A2", "SELLER_TAX_SHARE", "6.5"),
    event("A3", "AWS_REV_SHARE", "-7.35"),
    event("P1", "SELLER_REV_SHARE", "-73.5", action="DISBURSED", at="2026-09-20",
          parent_billing_event_id="A1", disbursement_billing_event_id="D1"),
    event("P2", "SELLER_TAX_SHARE", "-6.5", action="DISBURSED", at="2026-09-20",
          parent_billing_event_id="A2", disbursement_billing_event_id="D1"),
    event("P3", "AWS_REV_SHARE", "7.35", action="DISBURSED", at="2026-09-20",
          parent_billing_event_id="A3", disbursement_billing_event_id="D1"),
    event("D1", "DISBURSEMENT", "72.65", action="DISBURSED", at="2026-09-20", agreement_id="", invoice_id=""),
]  # fmt: skip


def posted(account: str) -> Decimal:
    total = JournalLine.objects.filter(account__code=account).aggregate(d=Sum("debit"), c=Sum("credit"))
    return (total["d"] or Decimal(0)) - (total["c"] or Decimal(0))


def test_tax_collected_for_us_is_owed_to_the_state_and_paid_out(shop: Shop) -> None:
    """Known answer 3 through the books: 73.50 revenue, 6.50 tax payable, 7.35 fee, 72.65 paid."""
    take(shop, text(MANUFACTURER))

    settlement.post(shop.channel, as_of=hour(30, 0, month=9).date(), actor=shop.team)

    assert posted("1000") == Decimal("72.65")
    assert posted("2150") == Decimal("-6.50")
    assert posted("6200") == Decimal("7.35")
    # The revenue share is our own invoice's to debit; without one the receivable is short by exactly it.
    assert posted("1105") == Decimal("-73.50")


def test_what_is_not_due_by_the_date_waits(shop: Shop) -> None:
    take(shop, text(MANUFACTURER))

    assert settlement.post(shop.channel, as_of=hour(10, 0, month=9).date(), actor=shop.team) == 2
    assert settlement.post(shop.channel, as_of=hour(30, 0, month=9).date(), actor=shop.team) == 1


def test_an_appended_month_file_brings_only_its_new_rows(shop: Shop) -> None:
    first = take(shop, text(MANUFACTURER[:3]))
    second = take(shop, text(MANUFACTURER))

    assert (first.received, first.accepted) == (3, 3)
    assert (second.received, second.accepted, second.duplicate) == (7, 4, 3)
    assert BillingEvent.objects.count() == 7
    assert take(shop, text(MANUFACTURER)) == second


def test_a_header_without_rows_is_normal(shop: Shop) -> None:
    file = take(shop, text([]))

    assert (file.received, file.accepted, file.rejected) == (0, 0, 0)


def test_an_added_column_is_kept_and_a_missing_one_refuses_the_file(shop: Shop) -> None:
    file = take(shop, text([event("A1", "SELLER_REV_SHARE", "1") | {"new_one": "x"}]))
    assert file.unknown_columns == ["agreement_id", "new_one"]
    assert FeedRow.objects.get().data["new_one"] == "x"

    with pytest.raises(InvalidInput, match="lacks the columns amount"):
        take(shop, text([], [name for name in COLUMNS if name != "amount"]))
    assert FeedFile.objects.count() == 1


def test_rows_that_cannot_be_read_are_parked_with_the_reason(shop: Shop) -> None:
    file = take(
        shop,
        text([event("A1", "SELLER_REV_SHARE", "lots"), event("", "AWS_REV_SHARE", "1"), MANUFACTURER[0]]),
    )

    assert (file.received, file.accepted, file.rejected) == (3, 1, 2)
    problems = [row.problem for row in FeedException.objects.order_by("line_number")]
    assert problems == ["the amount 'lots' is not a number", "the key billing_event_id is not complete"]

    parked = FeedException.objects.first()
    assert parked is not None
    with pytest.raises(InvalidInput, match="with a reason"):
        feeds.resolve_exception(parked.pk, actor=shop.team)
    assert feeds.resolve_exception(parked.pk, actor=shop.team, reason="AWS resent it").state == "resolved"


def test_the_newest_version_of_an_event_counts_and_the_past_stays_readable(shop: Shop) -> None:
    """Known answer 36 on a table: a correction rewrites the past, not what was known."""
    take(shop, text([event("A3", "AWS_REV_SHARE", "-7.35")]))
    take(shop, text([event("A3", "AWS_REV_SHARE", "-3.68") | {"update_date": "2026-09-15T00:00:00Z"}]))

    assert [row.amount for row in current(shop.channel.pk)] == [Decimal("-3.68")]
    assert [row.amount for row in current(shop.channel.pk, known_at=hour(10, 0, month=9))] == [
        Decimal("-7.35")
    ]


def test_a_correction_posts_its_difference_and_a_closed_month_stays(shop: Shop, as_owner: AsOwner) -> None:
    take(shop, text([event("A3", "AWS_REV_SHARE", "-7.35")]))
    settlement.post(shop.channel, as_of=hour(30, 0, month=9).date(), actor=shop.team)
    close(shop, "2026-09", as_owner)

    take(shop, text([event("A3", "AWS_REV_SHARE", "-3.68") | {"update_date": "2026-10-15T00:00:00Z"}]))
    settlement.post(shop.channel, as_of=hour(20, 0, month=10).date(), actor=shop.team)

    rows = SettlementPosting.objects.order_by("sequence").values_list("amount", "effective_on", "posted_on")
    assert [(amount, str(effective), str(posted_on)) for amount, effective, posted_on in rows] == [
        (Decimal("-7.350"), "2026-09-02", "2026-09-02"),
        (Decimal("3.670"), "2026-09-02", "2026-10-20"),
    ]
    assert posted("6200") == Decimal("3.68")


def close(shop: Shop, name: str, as_owner: AsOwner) -> None:
    """A closed month without the close: only the owner of the table can do that."""
    with as_owner(), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE ledger_accountingperiod DISABLE TRIGGER USER")
        cursor.execute(
            "UPDATE ledger_accountingperiod SET state = 'closed' WHERE entity_id = %s AND name = %s",
            [shop.agreement.entity_id, name],
        )
        cursor.execute("ALTER TABLE ledger_accountingperiod ENABLE TRIGGER USER")


def test_a_deleted_event_is_taken_back(shop: Shop) -> None:
    take(shop, text([event("A3", "AWS_REV_SHARE", "-7.35")]))
    settlement.post(shop.channel, as_of=hour(30, 0, month=9).date(), actor=shop.team)

    gone = event("A3", "AWS_REV_SHARE", "-7.35") | {
        "update_date": "2026-09-20T00:00:00Z",
        "delete_date": "2026-09-20T00:00:00Z",
    }
    take(shop, text([gone]))
    settlement.post(shop.channel, as_of=hour(30, 0, month=9).date(), actor=shop.team)

    assert posted("6200") == Decimal(0)


def test_a_fee_of_an_unknown_agreement_is_shown_and_not_posted(shop: Shop) -> None:
    take(shop, text([event("X1", "AWS_REV_SHARE", "-5.00") | {"agreement_id": "agmt-somebody"}]))

    assert settlement.post(shop.channel, as_of=hour(30, 0, month=9).date(), actor=shop.team) == 0
    reconcile.run(shop.channel, as_of=hour(30, 0, month=9), actor=shop.team)
    assert [(row.type, row.value) for row in Break.objects.all()] == [("IDENTITY", Decimal("5.00"))]


def test_a_balance_adjustment_and_a_refund_we_did_not_give_need_a_person(shop: Shop) -> None:
    rows = [event("B1", "BALANCE_ADJUSTMENT", "-2.50"), event("R1", "SELLER_REV_SHARE_REFUND", "-250.00")]
    take(shop, text(rows))

    for _ in range(2):
        reconcile.run(shop.channel, as_of=hour(5, 0, month=9), actor=shop.team)

    found = {row.type: row.value for row in Break.objects.filter(leg__in=["L9N", "L9R"])}
    assert found == {"BALANCE_ADJ": Decimal("2.50"), "REFUND_UNKNOWN": Decimal("250.00")}


def test_an_instalment_is_expected_on_its_date(shop: Shop) -> None:
    """Known answer 15: 28,440.00 due 6 November 2025; at 3 % the fee is 853.20 and 27,586.80 remain."""
    columns = ("valid_from", "insert_date", "update_date", "delete_date", "amount", "currency_code", "time",
               "agreement_id", "term_id")  # fmt: skip
    charge = {
        "valid_from": "2024-12-24 11:31:47.0", "insert_date": "2025-10-01 01:03:41.0",
        "update_date": "2025-10-01 01:03:41.0", "delete_date": "null", "amount": "28440.00",
        "currency_code": "USD", "time": "2025-11-06 00:00:00.000000", "agreement_id": "agmt-example0001",
        "term_id": "term-1",
    }  # fmt: skip
    take(shop, text([charge], columns), "agreement_charge")
    reconcile.run(shop.channel, as_of=hour(5, 0), actor=shop.team)
    row = Break.objects.get()
    assert (row.type, row.leg, row.value) == ("MISSING_BILL", "L3S", Decimal("28440.00"))

    take(shop, text([
        event("S1", "SELLER_REV_SHARE", "28440.00", at="2025-11-07"),
        event("S2", "AWS_REV_SHARE", "-853.20", at="2025-11-07"),
    ]))  # fmt: skip
    runs = {run.leg: run for run in reconcile.run(shop.channel, as_of=hour(5, 0), actor=shop.team)}

    row.refresh_from_db()
    assert row.state == "cleared"
    assert (runs["L4"].left_total, runs["L4"].right_total) == (Decimal("-853.20"), Decimal("-853.20"))
    assert runs["L7"].left_total == Decimal("27586.80")


def test_a_penny_too_little_closes_itself_and_is_counted(shop: Shop) -> None:
    """Known answer 35: 970.00 expected, 969.99 paid."""
    take(shop, text([
        event("A1", "SELLER_REV_SHARE", "1000.00", payment_due_date="2026-09-10T00:00:00Z"),
        event("A3", "AWS_REV_SHARE", "-30.00", payment_due_date="2026-09-10T00:00:00Z"),
        event("P1", "SELLER_REV_SHARE", "-999.99", action="DISBURSED", at="2026-09-12",
              parent_billing_event_id="A1", disbursement_billing_event_id="D1"),
        event("P3", "AWS_REV_SHARE", "30.00", action="DISBURSED", at="2026-09-12",
              parent_billing_event_id="A3", disbursement_billing_event_id="D1"),
        event("D1", "DISBURSEMENT", "969.99", action="DISBURSED", at="2026-09-12", agreement_id=""),
    ]))  # fmt: skip

    for _ in range(2):
        reconcile.run(shop.channel, as_of=hour(30, 0, month=9), actor=shop.team)

    rows = [(row.type, row.state, row.value) for row in Break.objects.filter(leg="L7")]
    assert rows == [("ROUND", "cleared", Decimal("0.01"))]


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*.csv")), ids=lambda path: path.stem)
def test_every_documented_file_is_read(team: Actor, path: Path) -> None:
    """AWS's own examples, read as they are: every row accepted, or the file is no feed and is refused."""
    channel = make_channel(team)
    name = path.stem.removesuffix("_header_only").split("_manufacturer")[0].split("_seller_of_record")[0]
    content = path.read_text()
    if name not in FEEDS:
        with pytest.raises(InvalidInput, match="no feed"):
            _take(channel, team, content, name)
        return
    file = _take(channel, team, content, name)
    assert file.rejected == 0
    assert file.received == content.strip().count("\n")


@pytest.mark.parametrize("name", [path.stem for path in SAMPLES.glob("billing_event_*.csv")])
def test_the_documented_payments_prove_and_leave_nothing_open(team: Actor, name: str) -> None:
    """Known answers 2 and 3 on AWS's own rows."""
    channel = make_channel(team)
    _take(channel, team, (SAMPLES / f"{name}.csv").read_text(), "billing_event")

    events = [row.structural for row in current(channel.pk)]
    assert balance(events).open == 0
    assert [(proof.amount, proof.gap) for proof in proofs(events)] == [
        (Decimal("72.65") if "manufacturer" in name else Decimal("19.8"), Decimal(0))
    ]
    assert channel.seller_account == SELLER_ACCOUNT


def _take(channel: Channel, team: Actor, content: str, feed: str) -> FeedFile:
    return feeds.import_text(
        content, name=feed, feed=feed, channel=channel, snapshot_at=hour(1, 0), actor=team
    )
