"""The nouns of the charge engine: contract timelines, metered usage, charges. Frozen, without a database.

Dates are calendar dates in the contract's time zone; every interval is half-open `[from, to)`. Quantities
and amounts come in as `Decimal` and are computed as `Fraction`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from billing.domain.adjustments import Adjustment
    from billing.domain.prices import Price
    from billing.domain.trace import Working

Dimensions = tuple[tuple[str, str], ...]
"""Event properties that are kept apart, sorted by name: (("model", "gpt-4o"), ("region", "eu"))."""

Filters = tuple[tuple[str, frozenset[str]], ...]
"""What a meter counts, by property: (("token_kind", {"output"}),). Empty: every event."""


class Kind(StrEnum):
    """What a line is; also the kind of its charges."""

    RECURRING = "recurring"
    USAGE = "usage"
    ONE_TIME = "one_time"
    PREPAID = "prepaid"


class Timing(StrEnum):
    ADVANCE = "advance"
    ARREARS = "arrears"


class Frequency(StrEnum):
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    HALF_YEAR = "half_year"
    YEAR = "year"
    CUSTOM = "custom"


class Anchor(StrEnum):
    ANNIVERSARY = "anniversary"
    CALENDAR = "calendar"


class Proration(StrEnum):
    """How much of a period's price a part of the period costs (`billing.domain.proration`)."""

    ACTUAL_DAYS = "actual_days"
    FIXED_30 = "fixed_30"
    THIRTY_360 = "thirty_360"
    SECONDS = "seconds"
    WHOLE_MONTHS = "whole_months"
    NONE = "none"


class CountedDay(StrEnum):
    """Which day of a part of a period is paid for: half-open `[from, to)`, or `(from, to]`."""

    FIRST = "first"
    LAST = "last"


class Remainder(StrEnum):
    """Which charge takes what rounding leaves of a price that is billed in parts."""

    EACH = "each"
    FIRST = "first"
    LAST = "last"


class Aggregation(StrEnum):
    """How the metered events of a period become one quantity (`billing.domain.aggregation`)."""

    SUM = "sum"
    COUNT = "count"
    UNIQUE = "unique"
    MAX = "max"
    LATEST = "latest"
    WEIGHTED = "weighted"


@dataclass(frozen=True, slots=True)
class Segment:
    """`[starts_on, ends_on)` x quantity x price of one line; `ends_on` None is open.

    `price_ref` names the price version in traces ("SEAT USD v3"). `price_id` tells versions apart: two
    neighbouring segments with equal price, quantity and discount are one run and give one charge.
    `period` is what a recurring amount pays for: 60.00 a year billed monthly is 5.00 a month. None means
    the billing period.
    """

    id: int
    starts_on: dt.date
    ends_on: dt.date | None
    quantity: Decimal
    price: Price
    price_ref: str = ""
    price_id: int = 0
    period: Frequency | None = None
    discount_percent: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Instalment:
    """An amount that is billed on a day: an entry of a schedule, or a milestone that was reached then."""

    name: str
    amount: Decimal
    on: dt.date


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a contract with its billing clauses, resolved from order and line.

    `anchor_on` is where an anniversary grid is counted from; of a calendar grid only its day of the month
    matters (1 unless the contract names another billing day). `boundaries` are the period limits of a
    custom frequency; a custom line without them is billed by its `instalments` alone, of which those on one
    day are one charge. `filters` are the meter's: usage with other values is in no charge.
    """

    id: int
    kind: Kind
    timing: Timing
    frequency: Frequency
    segments: tuple[Segment, ...]
    anchor: Anchor = Anchor.ANNIVERSARY
    anchor_on: dt.date | None = None
    proration: Proration = Proration.ACTUAL_DAYS
    aggregation: Aggregation = Aggregation.SUM
    filters: Filters = ()
    boundaries: tuple[dt.date, ...] = ()
    label: str = ""
    counted_day: CountedDay = CountedDay.FIRST
    remainder: Remainder = Remainder.EACH
    instalments: tuple[Instalment, ...] = ()
    adjustments: tuple[Adjustment, ...] = ()

    @property
    def scheduled(self) -> bool:
        """Billed by instalments and not by periods."""
        return self.frequency is Frequency.CUSTOM and not self.boundaries

    @property
    def record(self) -> str:
        """How errors name the line."""
        return f"order line {self.id}" + (f" ({self.label})" if self.label else "")


@dataclass(frozen=True, slots=True)
class Commitment:
    """At least `amount` per period of `per` (None: the whole term) on the lines `lines`.

    `carrier` is the usage line whose charge the true-up is.
    """

    amount: Fraction
    per: Frequency | None
    starts_on: dt.date
    ends_on: dt.date | None
    lines: frozenset[int]
    carrier: int
    overage_factor: Fraction = Fraction(1)


@dataclass(frozen=True, slots=True)
class Timeline:
    """Everything a contract says about money: its lines through all their segments, its commitments."""

    order: int
    currency: str
    lines: tuple[Line, ...]
    time_zone: str = "UTC"
    commitments: tuple[Commitment, ...] = ()


@dataclass(frozen=True, slots=True)
class UsagePoint:
    """Metered usage of one line on one date (in the contract's time zone), already added up or not.

    `count` events gave `quantity`. `at` (the instant) is needed by the aggregations latest, weighted by the
    second, and unique; `subject` is the counted value of a unique count.
    """

    on: dt.date
    quantity: Decimal
    count: int = 1
    dimensions: Dimensions = ()
    at: dt.datetime | None = None
    subject: str = ""


Usage = Mapping[int, Sequence[UsagePoint]]
"""Usage points by line id, in any order."""


@dataclass(frozen=True, slots=True)
class Slot:
    """The part of one billing period that one run of equal segments covers: what one charge is for.

    `segment` is the first segment of the run; `period` is the whole billing period around the slot. `due_on`
    is the first day of service in advance and the last day in arrears: a run through a later date bills it.
    """

    line: Line
    segment: Segment
    period_from: dt.date
    period_to: dt.date
    service_from: dt.date
    service_to: dt.date
    due_on: dt.date


Key = tuple[int, int, str, dt.date]
"""What is charged at most once: (line, segment, kind, first day of the billing period)."""


@dataclass(frozen=True, slots=True)
class Charge:
    """What should have been charged for one slot. `amount` is `exact` rounded once, the only rounding.

    How it was computed stands in `working`, or, of a charge that no price makes, in `formula`.
    `remainder` is the part of `amount` that rounding left over on the other charges of a price period.
    """

    line: int
    segment: int
    kind: str
    period_from: dt.date
    period_to: dt.date
    service_from: dt.date
    service_to: dt.date
    due_on: dt.date
    quantity: Fraction
    exact: Fraction
    amount: Decimal
    currency: str
    working: Working | None = field(default=None, compare=False, repr=False)
    formula: str = field(default="", compare=False, repr=False)
    remainder: Decimal = Decimal(0)

    @property
    def key(self) -> Key:
        return (self.line, self.segment, self.kind, self.period_from)


@dataclass(frozen=True, slots=True)
class Billed:
    """A charge that was billed, or a correction of one, as stored.

    `covers_from`/`covers_to` is the service interval that the key stands for after this row; empty when
    the row took the charge back altogether.
    """

    id: int
    line: int
    segment: int
    kind: str
    period_from: dt.date
    period_to: dt.date
    covers_from: dt.date
    covers_to: dt.date
    quantity: Decimal
    amount: Decimal
    currency: str
    revision: int = 0
    due_on: dt.date | None = None

    @property
    def key(self) -> Key:
        return (self.line, self.segment, self.kind, self.period_from)


@dataclass(frozen=True, slots=True)
class ChargeLine:
    """One line to invoice (positive) or to credit (negative): expected minus billed for one key.

    `revision` is 0 for the first billing of a key; later ones are corrections and name the row they
    correct.
    """

    line: int
    segment: int
    kind: str
    period_from: dt.date
    period_to: dt.date
    service_from: dt.date
    service_to: dt.date
    covers_from: dt.date
    covers_to: dt.date
    due_on: dt.date
    quantity: Fraction
    amount: Decimal
    currency: str
    revision: int
    corrects: int | None
    expected: Charge | None
    billed_before: Decimal = Decimal(0)
