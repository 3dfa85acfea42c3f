"""Whoever writes a file wrong is told the line and the reason; nothing is guessed."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

from o2c.scenarios import language
from o2c.scenarios.reading import Unreadable

HEAD = "scenario: x\ncatalogue: [{sku: A, price: 1}]\ndeal:\n  from: 2025-01-01\n  lines: [{sku: A}]\n"

WRONG = {
    "an unknown key": (HEAD + "expekt: {}", "f:6: 'expekt' is not known here; known are scenario, source"),
    "an unknown key deep down": (HEAD + "expect:\n  invoices:\n    - {nett: 1}", "f:8: 'nett' is not known"),
    "a missing field": ("scenario: x\ndeal:\n  from: 2025-01-01", "f:3: 'lines' is missing"),
    "no deal": ("scenario: x", "f:1: 'deal' is missing"),
    "a day that does not exist": (
        HEAD.replace("2025-01-01", "2025-02-30"),
        "f:4: 2025-02-30 is not a date: there is no such day",
    ),
    "a date in another order": (HEAD.replace("2025-01-01", "01.02.2025"), "f:4: '01.02.2025' is not a date"),
    "an amount with a comma": (HEAD + "expect: {billed: '1,200.00'}", "f:6: '1,200.00' is not a number"),
    "an exponent": (HEAD + "expect: {billed: 1e3}", "f:6: '1e3' is not a number"),
    "a key written twice": (HEAD + "expect: {billed: 1, billed: 2}", "f:6: 'billed' is written twice"),
    "a month written twice": (
        HEAD + "expect: {revenue: {2025-01: 1, 2025-01: 2}}",
        "2025-01 is written twice",
    ),
    "two acts": (
        HEAD + "happenings:\n  - {on: 2025-01-01, bill: , pay: 5}",
        "f:7: a happening is exactly one act",
    ),
    "no act": (HEAD + "happenings:\n  - {on: 2025-01-01}", "f:7: a happening is exactly one act"),
    "days out of order": (
        HEAD + "happenings:\n  - {on: 2025-03-01, bill: }\n  - {on: 2025-02-01, bill: }",
        "f:8: 2025-02-01 is before 2025-03-01",
    ),
    "a word that is no choice": (
        HEAD.replace("lines", "anchor: lunar\n  lines"),
        "f:5: 'lunar' is not one of",
    ),
    "an end before the beginning": (
        HEAD.replace("lines", "until: 2024-01-01\n  lines"),
        "the term ends on 2024-01-01",
    ),
    "two lines of one name": (HEAD.replace("[{sku: A}]", "[{sku: A}, {sku: A}]"), "two lines are called 'A'"),
    "a tier gap": (
        HEAD.replace("price: 1", "price: {model: graduated, tiers: [{up_to: 5, unit_amount: 1}]}"),
        "f:2: the price is not valid",
    ),
    "no YAML": ("scenario: [", "f:1: is not YAML"),
    "nothing": ("", "f:1: is empty"),
    "a list for a block": (HEAD + "expect: [1]", "f:6: must be a block"),
    "a block for a text": (HEAD.replace("sku: A,", "sku: {a: 1},"), "must be a text, and is a block"),
}


@pytest.mark.parametrize(("text", "message"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_said_with_its_line(text: str, message: str) -> None:
    with pytest.raises(Unreadable) as error:
        language.parse(text, "f")
    assert message in "\n".join(error.value.lines)


def test_every_problem_is_said_at_once_in_the_order_of_lines() -> None:
    with pytest.raises(Unreadable) as error:
        language.parse(HEAD + "expect: {billed: x, balanse: 1}\nsource: {a: 1}", "f")
    assert [line.split(":")[1] for line in error.value.lines] == ["6", "6", "7"]


def test_numbers_keep_their_digits() -> None:
    text = HEAD.replace(
        "price: 1", "price: {model: per_unit, unit_amount: 0.1000000000001}".replace("1}", "}")
    )
    read = language.parse(text + 'expect: {billed: 100.10, rpo: "0.30"}')
    assert read.catalogue[0].price == {"model": "per_unit", "unit_amount": "0.100000000000"}
    assert (read.expect.billed, read.expect.rpo) == (Decimal("100.10"), Decimal("0.30"))


def test_a_bare_price_is_the_price_of_one_unit_and_days_are_dates() -> None:
    read = language.parse(HEAD.replace("price: 1", "price: 29.95"))
    assert read.catalogue[0].price == {"model": "per_unit", "unit_amount": "29.95"}
    assert read.contracts[0].start == dt.date(2025, 1, 1)


def test_a_bomb_of_anchors_is_refused() -> None:
    levels = "\n".join(f"  l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]" for n in range(1, 9))
    with pytest.raises(Unreadable, match="more than 50000 values"):
        language.parse(f"scenario: x\nx:\n  l0: &l0 [1]\n{levels}", "f")
