"""Expressions for exclusion constraints that need no database extension.

GiST can compare ranges out of the box but not plain numbers or letters (that takes btree_gist, which needs an
extension). So "the same line" is written as the range that holds only that line: `int8range(id, id, '[]')`.
Two such ranges overlap exactly when the ids are equal.
"""

from __future__ import annotations

from django.contrib.postgres.fields import (
    BigIntegerRangeField,
    DateRangeField,
    IntegerRangeField,
    RangeOperators,
)
from django.db.models import Expression, F, Func, Value
from django.db.models.functions import Ord, Substr

OVERLAPS = RangeOperators.OVERLAPS


def same(field: str) -> tuple[Expression, str]:
    """Rows conflict when they have the same value in this bigint column (or foreign key)."""
    return (
        Func(F(field), F(field), Value("[]"), function="int8range", output_field=BigIntegerRangeField()),
        OVERLAPS,
    )


def same_letters(field: str, length: int) -> list[tuple[Expression, str]]:
    """Rows conflict when the first `length` characters are equal: one pair per character."""

    def letter(position: int) -> Expression:
        code = Ord(Substr(F(field), position, 1))
        return Func(code, code, Value("[]"), function="int4range", output_field=IntegerRangeField())

    return [(letter(position), OVERLAPS) for position in range(1, length + 1)]


def dates(start: str, end: str) -> tuple[Expression, str]:
    """Rows conflict when their half-open date ranges overlap; a null end is open, an empty range meets
    nothing.
    """
    return (Func(F(start), F(end), function="daterange", output_field=DateRangeField()), OVERLAPS)
