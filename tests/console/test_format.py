"""How values look on every page."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

from o2c.console import charts
from o2c.console import format as fmt
from o2c.console.registry import Chart, ChartData, Series

NOW = dt.datetime(2026, 11, 20, 12, 0, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        ("1234567.5", "USD", "1,234,567.50"),
        ("-1234.500", "EUR", "\u22121,234.50"),
        ("1235", "JPY", "1,235"),
        ("1.5", "KWD", "1.500"),
        ("0.0000025", "USD", "0.0000025"),
        ("0", "USD", "0.00"),
        ("-0.001", "USD", "\u22120.001"),
        ("12345678901234567.89", "USD", "12,345,678,901,234,567.89"),
    ],
)
def test_money_has_the_minor_units_of_its_currency_and_never_loses_a_digit(
    amount: str, currency: str, text: str
) -> None:
    assert fmt.plain_money(Decimal(amount), currency) == text


def test_money_carries_currency_and_links_and_escapes_them() -> None:
    shown = fmt.money(Decimal("10"), "USD", href='/x?"', why="/why/")

    assert '<span class="o-cur">USD</span>' in shown
    assert 'href="/x?&quot;"' in shown
    assert 'href="/why/"' in shown


def test_no_money_is_a_dash_not_a_zero() -> None:
    assert fmt.money(None, "USD") == fmt.DASH


@pytest.mark.parametrize(
    ("minutes", "text"), [(5, "5 min"), (119, "119 min"), (120, "2 h"), (47 * 60, "47 h"), (48 * 60, "2 d")]
)
def test_age_says_its_largest_unit(minutes: int, text: str) -> None:
    assert fmt.plain_age(dt.timedelta(minutes=minutes)) == text


def test_an_age_above_the_promise_is_late_in_words() -> None:
    assert "25 h late" in fmt.age(NOW - dt.timedelta(hours=25), NOW, sla_hours=24)
    assert "late" not in fmt.age(NOW - dt.timedelta(hours=23), NOW, sla_hours=24)


def test_text_is_escaped_wherever_it_is_shown() -> None:
    assert "<script>" not in fmt.show("<script>")
    assert "<script>" not in fmt.show({"a": "<script>"})
    assert "<script>" not in fmt.badge("<script>")


def test_a_bar_chart_begins_at_zero_and_carries_its_figures_as_text() -> None:
    data = ChartData(
        labels=["Aug", "Sep"], series=[Series("Billed", [Decimal("100"), Decimal("50")])], unit="USD"
    )

    picture = charts.svg(Chart("x", "Billed", data=lambda: data), data)

    assert picture.count("<rect") == 2
    assert "<title>Aug Billed: 100.00 USD</title>" in picture
    assert 'class="o-grid o-zero"' in picture
    assert charts.table(data) == [("Aug", "", ["100.00"]), ("Sep", "", ["50.00"])]


def test_a_chart_without_figures_draws_nothing() -> None:
    empty = ChartData(labels=[], series=[Series("Billed", [])])

    assert charts.svg(Chart("x", "Billed", data=lambda: empty), empty) == ""


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (950, "950"), (1500, "1.5k"), (-2_000_000, "\u22122M"), (3.2e9, "3.2bn")]
)
def test_axis_figures_are_compact(value: float, text: str) -> None:
    assert charts.compact(value) == text


def test_nested_values_are_read_as_tables_and_names_not_as_json() -> None:
    shown = fmt.show({"window_hours": 6, "rates": [{"from": "2024-01-05", "rate": "0.03"}, {"rate": "<b>"}]})

    assert "<dt>Window hours</dt><dd>6</dd>" in shown
    assert '<th scope="col">From</th><th scope="col">Rate</th>' in shown
    assert "<td>2024-01-05</td><td>0.03</td>" in shown
    assert "&lt;b&gt;" in shown
    assert "{" not in shown
    assert fmt.show(["agreement_id", "action_date"]) == "agreement id, action date"
    assert fmt.show([]) == fmt.DASH
