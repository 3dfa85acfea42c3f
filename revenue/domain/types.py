"""Values that the revenue arithmetic takes and gives."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum


class Measure(StrEnum):
    """How a promise satisfied over time counts its progress (606-10-25-31)."""

    DAY = "day"
    MONTH = "month"  # a whole month counts one, a part of it days / days in that month
    WHOLE_MONTH = "whole_month"  # every started month counts one, and no thirteenth of twelve


class Remainder(StrEnum):
    """Where the cents that rounding leaves over go."""

    CUMULATIVE = "cumulative"  # round(total to date) less what came before: every prefix ties
    FIRST = "first"
    LAST = "last"


class Treatment(StrEnum):
    """How a contract version enters the schedule of an obligation."""

    INITIAL = "initial"
    SEPARATE = "separate"
    PROSPECTIVE = "prospective"
    CUMULATIVE = "cumulative"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Band:
    """`quantity` promised on every day of [start, end): seats, licences, or 1 for a flat service."""

    start: dt.date
    end: dt.date
    quantity: Decimal = Decimal(1)


@dataclass(frozen=True, slots=True)
class Version:
    """What is known of one obligation once a contract version is in force.

    `price` is the consideration allocated to the whole obligation; `bands` the whole promised
    service; `effective_on` the day from which the version measures the service.
    """

    effective_on: dt.date
    price: Decimal
    bands: tuple[Band, ...]
    treatment: Treatment = Treatment.PROSPECTIVE


@dataclass(frozen=True, slots=True)
class Slice:
    """Revenue that belongs to one calendar month, named by its first day."""

    month: dt.date
    amount: Decimal


Plan = tuple[Slice, ...]
