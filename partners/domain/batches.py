"""Batches the metering service accepts, and finding the one record that spoils a batch.

Source: botocore service model of meteringmarketplace: at most 25 usage records and less than 1 MB per
request, one product per request. TimestampOutOfBounds, InvalidUsageDimension and the like refuse the
whole batch; the good records must not wait for the bad one, so a refused batch is halved until it is found.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Generic, TypeVar

T = TypeVar("T")

MAX_RECORDS = 25
MAX_BYTES = 1_000_000
"""The request must be *less* than 1 MB; decimal, the stricter of the two readings."""
ENVELOPE_BYTES = 512
"""Room for ProductCode and the JSON around the records."""


class WholeBatchRefused(Exception):
    """The service processed no record of the batch. `code` is its error code, such as
    TimestampOutOfBoundsException.
    """

    def __init__(self, code: str, message: str = "") -> None:
        super().__init__(f"{code}: {message}" if message else code)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Refused(Generic[T]):
    """One record that the service refuses by itself, with the reason it gave."""

    record: T
    code: str
    message: str


def split(
    records: Sequence[T],
    size: Callable[[T], int],
    *,
    max_records: int = MAX_RECORDS,
    max_bytes: int = MAX_BYTES,
) -> list[list[T]]:
    """Cut records of one product, in their order, into requests under both limits.

    `size` gives a record's bytes in the request. A single record that is too large goes alone: the
    service is the one to refuse it, and its refusal is recorded.
    """
    batches: list[list[T]] = []
    room, used = 0, 0
    for record in records:
        weight = size(record)
        if not batches or room == 0 or used + weight >= max_bytes:
            batches.append([])
            room, used = max_records, ENVELOPE_BYTES
        batches[-1].append(record)
        room, used = room - 1, used + weight
    return batches


def halves(batch: Sequence[T]) -> tuple[list[T], list[T]]:
    """The two halves of a batch of at least two records, order kept."""
    middle = len(batch) // 2
    iterator = iter(batch)
    return list(islice(iterator, middle)), list(iterator)


def send_bisecting(batch: Sequence[T], send: Callable[[list[T]], None]) -> list[Refused[T]]:
    """Send a batch; when the whole is refused, send its halves, down to the records that are refused alone.

    `send` handles its own success and raises `WholeBatchRefused`. k bad records among n cost at most
    about 2·k·log2(n) + 1 requests.
    """
    waiting = [list(batch)] if batch else []
    refused: list[Refused[T]] = []
    while waiting:
        part = waiting.pop()
        try:
            send(part)
        except WholeBatchRefused as refusal:
            if len(part) == 1:
                refused.append(Refused(part[0], refusal.code, refusal.message))
            else:
                left, right = halves(part)
                waiting += [right, left]
    return refused
