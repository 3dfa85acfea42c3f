"""What a posting rule produces: entries with lines, before they are journals."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from o2c.errors import InvalidInput

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Line:
    """One side of an entry. `account` is a code, amounts are in the entry's currency.

    `functional` overrides the translation at the rate of the posting date: a signed amount, debit
    positive, in the entity's currency. Balances carried at a historical rate need it (contract
    liability, ASC 830-10-45-18), and so does an exchange difference, which has no other amount.
    """

    account: str
    debit: Decimal = ZERO
    credit: Decimal = ZERO
    party_id: int | None = None
    reference: str = ""
    functional: Decimal | None = None

    def __post_init__(self) -> None:
        if self.debit and self.credit:
            raise InvalidInput(f"A line of {self.account} cannot be both debit and credit")
        if self.debit < 0 or self.credit < 0:
            raise InvalidInput(
                f"A line of {self.account} has a negative amount", remedy="Put it on the other side"
            )


@dataclass(frozen=True, slots=True)
class Entry:
    """One event under one rule, as debits and credits that balance in `currency`.

    `event_key` and `source` are 'app.model:id'. Raises InvalidInput when it does not balance.
    """

    entity_id: int
    currency: str
    posting_date: dt.date
    effective_date: dt.date
    event_key: str
    rule: str
    source: str
    lines: Sequence[Line] = field(default_factory=tuple)
    memo: str = ""

    def __post_init__(self) -> None:
        debit = sum((line.debit for line in self.lines), ZERO)
        credit = sum((line.credit for line in self.lines), ZERO)
        if debit != credit:
            raise InvalidInput(
                f"{self.rule} debits {debit} and credits {credit} {self.currency}",
                record=self.event_key,
                remedy="An entry must balance; correct the posting rule",
            )
