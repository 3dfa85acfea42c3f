"""The stand-in refuses what the real service refuses: without it the tests of sending prove nothing."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from partners.aws.fake import Buyer
from partners.aws.fake_server import FakeServer, running

NOW = datetime(2026, 8, 10, 12, 30, tzinfo=UTC)
LICENCE = "arn:aws:license-manager:us-east-1:111122223333:license:l-1"
BUYER = Buyer(
    "cust1", "000000000001", LICENCE, "product1", "prod-1", "agmt-1", "offer-1", "2026-08-01T00:00:00+00:00"
)


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with running() as running_server:
        running_server.clock.fixed = NOW
        running_server.metering.add_product("product1", {"tokens"})
        running_server.metering.subscribe(BUYER)
        yield running_server


@pytest.fixture
def client(server: FakeServer) -> Any:
    return boto3.client(
        "meteringmarketplace",
        region_name="us-east-1",
        endpoint_url=server.url,
        aws_access_key_id="x",
        aws_secret_access_key="x",
    )


def record(hour: int = 12, quantity: int = 5, **values: Any) -> dict[str, Any]:
    return {
        "Timestamp": NOW.replace(hour=hour, minute=0),
        "Dimension": "tokens",
        "Quantity": quantity,
        "CustomerAWSAccountId": BUYER.aws_account_id,
        "LicenseArn": LICENCE,
        **values,
    }


def refused(call: Any, **request: Any) -> str:
    with pytest.raises(ClientError) as error:
        call(**request)
    return str(error.value.response["Error"]["Code"])


def test_first_write_wins_and_the_same_again_is_success(client: Any, server: FakeServer) -> None:
    first = client.batch_meter_usage(UsageRecords=[record()])["Results"][0]
    same = client.batch_meter_usage(UsageRecords=[record()])["Results"][0]
    other = client.batch_meter_usage(UsageRecords=[record(quantity=6)])["Results"][0]

    assert [first["Status"], same["Status"], other["Status"]] == ["Success", "Success", "DuplicateRecord"]
    assert first["MeteringRecordId"] == same["MeteringRecordId"]
    assert [held["quantity"] for held in server.metering.usage.values()] == [5]


def test_minutes_of_one_hour_are_one_record(client: Any) -> None:
    client.batch_meter_usage(UsageRecords=[record()])
    later = record(quantity=7) | {"Timestamp": NOW}

    assert client.batch_meter_usage(UsageRecords=[later])["Results"][0]["Status"] == "DuplicateRecord"


def test_twenty_six_records_are_refused(client: Any, server: FakeServer) -> None:
    assert refused(client.batch_meter_usage, UsageRecords=[record()] * 26) == "ValidationException"
    assert not server.metering.usage


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (record(hour=13), "TimestampOutOfBoundsException"),
        (record() | {"Timestamp": NOW.replace(day=9, hour=12, minute=0)}, "TimestampOutOfBoundsException"),
        (record(Dimension="unknown"), "InvalidUsageDimensionException"),
        (record(LicenseArn=LICENCE + "9"), "InvalidLicenseException"),
        (record(quantity=2_147_483_648), "ValidationException"),
        (
            record(quantity=100, UsageAllocations=[{"AllocatedUsageQuantity": 60}]),
            "InvalidUsageAllocationsException",
        ),
    ],
)
def test_one_bad_record_refuses_the_whole_batch(
    client: Any, server: FakeServer, bad: dict[str, Any], code: str
) -> None:
    good = record(hour=11)

    assert refused(client.batch_meter_usage, UsageRecords=[good, bad]) == code
    assert not server.metering.usage


def test_allocations_that_add_up_are_accepted(client: Any) -> None:
    shares = [
        {"AllocatedUsageQuantity": 60, "Tags": [{"Key": "team", "Value": "search"}]},
        {"AllocatedUsageQuantity": 40, "Tags": [{"Key": "team", "Value": "support"}]},
    ]
    answer = client.batch_meter_usage(UsageRecords=[record(quantity=100, UsageAllocations=shares)])

    assert answer["Results"][0]["Status"] == "Success"


def test_a_stranger_is_not_subscribed(client: Any) -> None:
    answer = client.batch_meter_usage(
        ProductCode="product1",
        UsageRecords=[{k: v for k, v in record(CustomerAWSAccountId="9").items() if k != "LicenseArn"}],
    )

    assert answer["Results"][0]["Status"] == "CustomerNotSubscribed"


def test_a_token_expires_after_four_hours(client: Any, server: FakeServer) -> None:
    token = server.metering.subscribe(BUYER)

    assert client.resolve_customer(RegistrationToken=token)["LicenseArn"] == LICENCE
    server.clock.fixed = NOW.replace(hour=17)
    assert refused(client.resolve_customer, RegistrationToken=token) == "ExpiredTokenException"
    assert refused(client.resolve_customer, RegistrationToken="nonsense") == "InvalidTokenException"


def test_what_was_metered_survives_a_restart(tmp_path: Any) -> None:
    journal = tmp_path / "aws.jsonl"
    for quantity, expected in ((5, "Success"), (6, "DuplicateRecord")):
        with running(journal=journal) as server:
            server.clock.fixed = NOW
            server.metering.add_product("product1", {"tokens"})
            server.metering.subscribe(BUYER)
            client = boto3.client(
                "meteringmarketplace", region_name="us-east-1", endpoint_url=server.url,
                aws_access_key_id="x", aws_secret_access_key="x",
            )  # fmt: skip
            answer = client.batch_meter_usage(UsageRecords=[record(quantity=quantity)])
            assert answer["Results"][0]["Status"] == expected


def test_two_processes_are_one_service(tmp_path: Any) -> None:
    journal = tmp_path / "aws.jsonl"
    with running(journal=journal) as first, running(journal=journal) as second:
        for server in (first, second):
            server.clock.fixed = NOW
        first.metering.add_product("product1", {"tokens"})
        first.metering.subscribe(BUYER)
        answers = [
            boto3.client(
                "meteringmarketplace", region_name="us-east-1", endpoint_url=server.url,
                aws_access_key_id="x", aws_secret_access_key="x",
            ).batch_meter_usage(UsageRecords=[record(quantity=quantity)])["Results"][0]["Status"]
            for server, quantity in ((first, 5), (second, 6), (second, 5), (first, 6))
        ]  # fmt: skip

    assert answers == ["Success", "DuplicateRecord", "Success", "DuplicateRecord"]
