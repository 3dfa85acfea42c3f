"""Amounts and times as channels print them."""

from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation


def parse_amount(text: str) -> Decimal:
    """An amount as a portal or a spreadsheet prints it: currency sign, thousands comma, quotes, blanks,
    (minus).

    >>> parse_amount('"$1,200.00 "')
    Decimal('1200.00')
    """
    cleaned = text.strip().strip('"').strip()
    negative = cleaned.startswith("(") and cleaned.endswith(")")
    for sign in ("$", "€", "£", "¥", ",", " ", "(", ")"):
        cleaned = cleaned.replace(sign, "")
    try:
        value = Decimal(cleaned)
    except InvalidOperation:
        raise ValueError(f"{text!r} is not an amount") from None
    if not value.is_finite():
        raise ValueError(f"{text!r} is not an amount")
    return -value if negative else value


def parse_time(text: str) -> datetime | None:
    """A time as the feeds print it: ISO with Z, with a blank, with fractions; "" and "null" are none. UTC."""
    cleaned = blank_is_none(text)
    if cleaned is None:
        return None
    value = datetime.fromisoformat(cleaned.replace("Z", "+00:00"))
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def blank_is_none(text: str | None) -> str | None:
    """Empty text and the newer feeds' literal `null` both mean no value. Ids are trimmed: one guide
    prints a blank.
    """
    if text is None:
        return None
    cleaned = text.strip()
    return None if cleaned in ("", "null") else cleaned
