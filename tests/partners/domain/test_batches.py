"""Requests within the service's limits, and finding the records that spoil one."""

from hypothesis import given
from hypothesis import strategies as st

from partners.domain.batches import WholeBatchRefused, send_bisecting, split


def test_fifty_customers_with_two_dimensions_take_four_requests_an_hour() -> None:
    """Known answer 19: 100 hourly records are 4 calls, 96 calls a day."""
    batches = split(list(range(100)), lambda record: 300)

    assert [len(batch) for batch in batches] == [25, 25, 25, 25]
    assert len(batches) * 24 == 96


def test_a_request_stays_under_one_megabyte() -> None:
    batches = split(list(range(10)), lambda record: 400_000)

    assert [len(batch) for batch in batches] == [2, 2, 2, 2, 2]


def test_a_record_that_is_too_large_goes_alone() -> None:
    sizes = {1: 300, 2: 2_000_000, 3: 300}

    assert split([1, 2, 3], sizes.__getitem__) == [[1], [2], [3]]


def test_one_bad_record_does_not_hold_back_the_other_twenty_four() -> None:
    sent: list[int] = []
    calls = 0

    def send(batch: list[int]) -> None:
        nonlocal calls
        calls += 1
        if 17 in batch:
            raise WholeBatchRefused("TimestampOutOfBoundsException", "too old")
        sent.extend(batch)

    refused = send_bisecting(list(range(25)), send)

    assert [(bad.record, bad.code) for bad in refused] == [(17, "TimestampOutOfBoundsException")]
    assert sorted(sent) == [number for number in range(25) if number != 17]
    assert calls <= 11


@given(st.lists(st.integers(1, 999_000), max_size=120), st.integers(1, 25))
def test_batches_keep_every_record_once_in_order_and_within_both_limits(sizes: list[int], most: int) -> None:
    records = list(enumerate(sizes))

    batches = split(records, lambda record: record[1], max_records=most)

    assert [record for batch in batches for record in batch] == records
    assert all(1 <= len(batch) <= most for batch in batches)
    assert all(sum(size for _n, size in batch) < 1_000_000 for batch in batches)


@given(st.integers(0, 25), st.sets(st.integers(0, 24)))
def test_bisecting_sends_every_good_record_once_and_names_every_bad_one(count: int, bad: set[int]) -> None:
    sent: list[int] = []

    def send(batch: list[int]) -> None:
        if bad & set(batch):
            raise WholeBatchRefused("InvalidUsageDimensionException")
        sent.extend(batch)

    refused = send_bisecting(list(range(count)), send)

    assert sorted(sent) == [number for number in range(count) if number not in bad]
    assert sorted(item.record for item in refused) == sorted(number for number in bad if number < count)
