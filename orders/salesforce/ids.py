"""Salesforce record ids: 15 characters that differ by case, or the same with 3 check characters."""

from __future__ import annotations

import re

from o2c.errors import InvalidInput

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"


def eighteen(identifier: str) -> str:
    """The id in its 18-character form, which survives systems that ignore case.

    Each check character says which of five characters are capitals.

    >>> eighteen("0015500000Xyy06")
    '0015500000Xyy06AAB'

    Raises InvalidInput for something that is no id, or whose check characters are wrong.
    """
    if not re.fullmatch(r"[0-9A-Za-z]{15}([A-Z0-5]{3})?", identifier):
        raise InvalidInput(f"{identifier!r} is not a Salesforce id of 15 or 18 characters")
    short = identifier[:15]
    suffix = "".join(
        ALPHABET[
            sum(1 << bit for bit, character in enumerate(short[start : start + 5]) if character.isupper())
        ]
        for start in (0, 5, 10)
    )
    if len(identifier) == 18 and identifier[15:] != suffix:
        raise InvalidInput(
            f"{identifier!r} is not a Salesforce id: its check characters should be {suffix}",
            remedy="Copy the id again; a spreadsheet may have changed its capitals",
        )
    return short + suffix
