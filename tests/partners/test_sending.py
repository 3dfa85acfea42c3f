"""Sending frozen hours through boto3 to the service on a real socket, and what its answers do."""

import threading
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection

from o2c.actor import Actor, acting
from o2c.errors import Conflict
from partners.aws.client import BotoMetering
from partners.models import Break, MeteringBatch, MeteringRecord, MeteringResult
from partners.selectors.metering import unsent
from partners.services import agreements, breaks, metering, sending
from partners.services.sending import Sent
from tests.factories.access import make_user
from tests.factories.partners import Aws, Shop, hour, identity, use

pytestmark = pytest.mark.django_db(transaction=True)


def meter(shop: Shop, aws: Aws, day: int, hour_: int, minute: int = 15) -> Sent:
    """Freeze and send as the clock would at this moment."""
    now = aws.set_clock(hour(day, hour_, minute))
    metering.freeze_due(as_of=now, actor=shop.team)
    return sending.send_due(as_of=now, client=aws.client, actor=shop.team)


def answers() -> list[tuple[str, str]]:
    return list(MeteringResult.objects.order_by("pk").values_list("status", "disposition"))


def test_what_was_frozen_arrives_once_with_its_quantities(live_shop: Shop, aws: Aws) -> None:
    use(live_shop, hour(1, 0), "1500")
    use(live_shop, hour(1, 1), "2600")

    sent = meter(live_shop, aws, 1, 3)

    assert (sent.requests, sent.accepted) == (1, 3)
    assert [(row["hour"][11:13], row["quantity"]) for row in aws.usage] == [("00", 1), ("01", 3), ("02", 0)]
    stored = MeteringResult.objects.filter(disposition="accepted").values_list(
        "metering_record_id", flat=True
    )
    assert set(stored) == {row["record_id"] for row in aws.usage}


def test_a_second_run_sends_nothing(live_shop: Shop, aws: Aws) -> None:
    use(live_shop, hour(1, 0), "1500")
    meter(live_shop, aws, 1, 3)

    again = meter(live_shop, aws, 1, 3)

    assert (again.requests, again.accepted) == (0, 0)
    assert len(aws.requests) == 1


def test_sixty_hours_take_three_requests_of_at_most_twenty_five(live_shop: Shop, aws: Aws) -> None:
    aws.server.metering.window = type(aws.server.metering.window)(accepts_for=timedelta(days=9))
    widen(live_shop, hours=200)

    sent = meter(live_shop, aws, 3, 12)

    assert sent.accepted == 60
    assert [count for _product, count in aws.requests] == [25, 25, 10]


def widen(shop: Shop, hours: int) -> None:
    """Let our own sheet accept older hours."""
    with acting(shop.team, reason="test"):
        shop.channel.refresh_from_db()
        shop.channel.capability["metering"]["accepts_hours"] = hours
        shop.channel.save()


def test_an_hour_past_the_window_is_lost_and_valued(live_shop: Shop, aws: Aws) -> None:
    use(live_shop, hour(1, 0), "3000000")

    sent = meter(live_shop, aws, 1, 6, 15)

    assert (sent.lost, sent.accepted) == (1, 5)
    row = Break.objects.get()
    assert (row.type, row.value, row.currency) == ("METER_LATE", Decimal("7.50"), "USD")
    assert (row.owner_role, row.escalates_at) == ("billing_ops", hour(6, 6, 15))


def test_an_old_hour_that_only_aws_refuses_is_found_among_the_good_ones(live_shop: Shop, aws: Aws) -> None:
    use(live_shop, hour(1, 2), "9000")
    aws.server.metering.window = type(aws.server.metering.window)(accepts_for=timedelta(hours=3))

    sent = meter(live_shop, aws, 1, 5, 30)

    assert (sent.accepted, sent.lost) == (2, 3)
    assert Break.objects.get().evidence["status"] == "TimestampOutOfBoundsException"
    assert {row["hour"][11:13] for row in aws.usage} == {"03", "04"}


def test_another_quantity_for_a_sent_hour_is_a_break_and_no_success(live_shop: Shop, aws: Aws) -> None:
    """The first write wins at AWS: our 3 is not honoured, its 1 is billed."""
    use(live_shop, hour(1, 0), "3000")
    aws.set_clock(hour(1, 1, 15))
    metering.freeze_due(as_of=hour(1, 1, 15), actor=live_shop.team)
    already = type(MeteringRecord.objects.get())
    record = already.objects.get()
    record.quantity = 1
    aws.client.batch_meter_usage(live_shop.buyer.product_code, [sending._wire(record)])

    sent = meter(live_shop, aws, 1, 1)

    assert (sent.held, sent.accepted) == (1, 0)
    row = Break.objects.get()
    assert (row.type, row.expected, row.state) == ("METER_QTY", Decimal(3), "open")
    assert meter(live_shop, aws, 1, 1).requests == 0


def test_a_buyer_who_left_is_a_reject_with_the_money_at_risk(live_shop: Shop, aws: Aws) -> None:
    use(live_shop, hour(1, 0), "400000")
    aws.server.metering.buyers.clear()
    aws.server.metering.subscribe(
        type(live_shop.buyer)(**{**vars_of(live_shop.buyer), "unsubscribed_at": hour(1, 0).isoformat()})
    )

    sent = meter(live_shop, aws, 1, 1)

    assert sent.held == 1
    assert [(row.type, row.value) for row in Break.objects.all()] == [("METER_REJECT", Decimal("1.00"))]


def vars_of(buyer: object) -> dict[str, str]:
    return {name: getattr(buyer, name) for name in type(buyer).__dataclass_fields__}  # type: ignore[attr-defined]


def test_unprocessed_and_throttled_records_go_out_again(live_shop: Shop, aws: Aws) -> None:
    use(live_shop, hour(1, 0), "1500")
    aws.server.metering.faults.unprocessed = 1

    first = meter(live_shop, aws, 1, 1)
    second = meter(live_shop, aws, 1, 1)

    assert (first.accepted, first.retry, second.accepted) == (0, 1, 1)
    assert answers() == [("Unprocessed", "retry"), ("Success", "accepted")]


def test_a_service_that_only_throttles_leaves_everything_to_be_sent(live_shop: Shop, aws: Aws) -> None:
    aws.server.metering.faults.throttle = 99

    sent = meter(live_shop, aws, 1, 1)

    assert sent.unreachable
    assert unsent().count() == 1
    aws.server.metering.faults.throttle = 0
    assert meter(live_shop, aws, 1, 1).accepted == 1


def test_a_crash_between_send_and_record_is_safe(live_shop: Shop, aws: Aws) -> None:
    """AWS stored the hour and we never heard: sent again unchanged, it answers Success with the same id."""
    use(live_shop, hour(1, 0), "1500")
    aws.server.metering.faults.lose_response = 3  # boto3 itself tries three times

    lost = meter(live_shop, aws, 1, 1)
    assert (lost.accepted, len(lost.unreachable), len(aws.usage)) == (0, 1, 1)
    assert MeteringBatch.objects.count() == 1

    found = meter(live_shop, aws, 1, 1)
    assert (found.accepted, len(aws.usage)) == (1, 1)
    assert MeteringResult.objects.get().metering_record_id == aws.usage[0]["record_id"]


def test_a_wrong_dimension_is_held_and_the_rest_is_sent(
    live_shop: Shop, add_shop: Callable[[int], Shop], aws: Aws
) -> None:
    other = add_shop(2)
    aws.server.metering.subscribe(other.buyer)
    use(live_shop, hour(1, 0), "1500")
    use(other, hour(1, 0), "2500")
    agreements.append_identity(
        other.agreement.pk,
        identity(2, license_arn="arn:aws:license-manager:us-east-1:111122223333:license:l-wrong"),
        source="test",
        actor=other.team,
    )

    sent = meter(live_shop, aws, 1, 1)

    assert (sent.accepted, sent.held) == (1, 1)
    row = Break.objects.get()
    assert (row.type, row.evidence["status"]) == ("METER_REJECT", "InvalidLicenseException")


def test_a_released_hour_is_sent_again_and_needs_a_second_person(live_shop: Shop, aws: Aws) -> None:
    use(live_shop, hour(1, 0), "400000")
    buyer = live_shop.buyer
    aws.server.metering.buyers.clear()
    aws.server.metering.subscribe(type(buyer)(**{**vars_of(buyer), "subscribed_at": hour(2, 0).isoformat()}))
    meter(live_shop, aws, 1, 1)
    row = Break.objects.get()

    aws.server.metering.subscribe(buyer)
    breaks.propose(row.pk, breaks.RESEND, actor=live_shop.team, reason="AWS corrected the start, case 123")
    with pytest.raises(Conflict, match="may not close"):
        breaks.resolve(row.pk, actor=live_shop.team)
    approver = Actor.of(make_user("petra", "controller"))
    breaks.resolve(row.pk, actor=approver)

    assert meter(live_shop, aws, 1, 2).accepted == 2
    row.refresh_from_db()
    assert (row.state, row.closed_by_id) == ("resolved", approver.user_id)


def test_two_senders_at_once_meter_each_hour_once(live_shop: Shop, aws: Aws) -> None:
    use(live_shop, hour(1, 0), "1500")
    now = aws.set_clock(hour(1, 5, 15))
    metering.freeze_due(as_of=now, actor=live_shop.team)
    runs: list[Sent] = []

    def run() -> None:
        try:
            client = BotoMetering(endpoint_url=aws.server.url, stand_in=True)
            runs.append(sending.send_due(as_of=now, client=client, actor=live_shop.team))
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(runs) == 4
    assert MeteringResult.objects.filter(disposition="accepted").count() == 5
    assert len(aws.usage) == 5
    assert not unsent().exists()


def test_two_freezers_at_once_freeze_each_hour_once(live_shop: Shop) -> None:
    use(live_shop, hour(1, 0), "1500")
    made: list[int] = []

    def run() -> None:
        try:
            made.append(metering.freeze_due(as_of=hour(2, 0, 15), actor=live_shop.team))
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(made) == [0, 0, 0, 24]


def test_aws_is_never_called_inside_a_transaction(live_shop: Shop, aws: Aws) -> None:
    metering.freeze_due(as_of=hour(1, 1, 15), actor=live_shop.team)

    with acting(live_shop.team), pytest.raises(RuntimeError, match="inside a database transaction"):
        sending.send_due(as_of=aws.set_clock(hour(1, 1, 15)), client=aws.client, actor=live_shop.team)


def test_a_month_of_two_hourly_runs_sends_the_floor_of_what_was_used(live_shop: Shop, aws: Aws) -> None:
    for day in range(1, 4):
        for hour_ in range(24):
            use(live_shop, hour(day, hour_), str(137 * hour_ + day))

    for day in range(1, 5):
        for hour_ in range(0, 24, 4):
            meter(live_shop, aws, day, hour_)

    used = sum(137 * hour_ + day for day in range(1, 4) for hour_ in range(24))
    assert sum(row["quantity"] for row in aws.usage) == used // 1000
