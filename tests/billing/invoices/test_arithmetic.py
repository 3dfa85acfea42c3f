"""Document totals, credits and tax rules: figures, and what holds for all of them."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.domain import tax
from billing.domain.invoice_totals import Creditable, Taxed, TaxKey, credit, totals
from o2c.errors import InvalidInput
from o2c.money import minor_units, quantize

D = Decimal
VAT = TaxKey("VAT", D("0.19"))
CURRENCIES = ("USD", "JPY", "KWD")
RATES = ("0", "0.07", "0.08875", "0.19", "0.23")


def cents(currency: str, low: int = -(10**9), high: int = 10**9) -> st.SearchStrategy[Decimal]:
    return st.integers(low, high).map(lambda n: D(n).scaleb(-minor_units(currency)))


def test_what_does_not_add_up_cannot_exist() -> None:
    with pytest.raises(InvalidInput, match="do not make"):
        Taxed(D("1.00"), D("0.19"), D("1.20"))


def test_tax_is_rounded_once_per_rate() -> None:
    """Three lines of 0.13 at 19 %: 0.0741 is 0.07; line by line it would be 0.06."""
    summed = totals([(D("0.13"), VAT)] * 3, "EUR")

    assert summed.document == Taxed(D("0.39"), D("0.07"), D("0.46"))
    assert summed.line_taxes == (D("0.02"), D("0.03"), D("0.02"))


def test_two_rates_on_one_document() -> None:
    reduced = TaxKey("VAT", D("0.07"))

    summed = totals([(D("100.00"), VAT), (D("50.00"), reduced), (D("-10.00"), VAT)], "EUR")

    assert summed.by_rate == (
        (VAT, Taxed(D("90.00"), D("17.10"), D("107.10"))),
        (reduced, Taxed(D("50.00"), D("3.50"), D("53.50"))),
    )
    assert summed.document.total == D("160.60")


def test_known_answers_of_a_credited_month() -> None:
    """F1 and F2: 25 % on 193.33 and on 154.67."""
    quarter = TaxKey("VAT", D("0.25"))
    assert totals([(D("-193.33"), quarter)], "EUR").document == Taxed(D("-193.33"), D("-48.33"), D("-241.66"))
    assert totals([(D("-154.67"), quarter)], "EUR").document == Taxed(D("-154.67"), D("-38.67"), D("-193.34"))


@given(data=st.data(), currency=st.sampled_from(CURRENCIES))
def test_lines_sum_to_the_document_whatever_their_signs(data: st.DataObject, currency: str) -> None:
    lines = data.draw(
        st.lists(
            st.tuples(cents(currency), st.sampled_from(RATES).map(lambda r: TaxKey("T", D(r)))), max_size=30
        )
    )

    summed = totals(lines, currency)

    assert sum(summed.line_taxes, D(0)) == summed.document.tax
    assert sum((net for net, _ in lines), D(0)) == summed.document.net
    for key, taxed in summed.by_rate:
        assert taxed.tax == quantize(Fraction(taxed.net) * Fraction(key.rate), currency)
    unit = D(1).scaleb(-minor_units(currency))
    for (net, key), line_tax in zip(lines, summed.line_taxes, strict=True):
        assert abs(line_tax - net * key.rate) <= unit


@given(data=st.data(), currency=st.sampled_from(CURRENCIES), rate=st.sampled_from(RATES))
def test_credits_of_a_line_in_any_parts_give_back_exactly_what_was_billed(
    data: st.DataObject, currency: str, rate: str
) -> None:
    unit = D(1).scaleb(-minor_units(currency))
    parts = data.draw(st.lists(st.integers(1, 10**6), min_size=1, max_size=12))
    sign = data.draw(st.sampled_from((1, -1)))
    net = sign * sum(parts) * unit
    line_tax = quantize(Fraction(net) * Fraction(D(rate)), currency)
    done_net = done_tax = D(0)

    for part in parts:
        given_back = credit(Creditable(net, line_tax, done_net, done_tax), sign * part * unit, currency)
        done_net, done_tax = done_net + given_back.net, done_tax + given_back.tax
        assert abs(done_tax) <= abs(line_tax)

    assert (done_net, done_tax) == (net, line_tax)
    with pytest.raises(InvalidInput):
        credit(Creditable(net, line_tax, done_net, done_tax), sign * unit, currency)


@pytest.mark.parametrize("wrong", ["0", "-1.00", "0.001", "100.01"])
def test_a_credit_that_is_no_part_of_the_line_is_refused(wrong: str) -> None:
    with pytest.raises(InvalidInput):
        credit(Creditable(D("100.00"), D("19.00")), D(wrong), "EUR")


def rate(
    region: str, category: str, value: str, start: str = "2020-01-01", end: str | None = None
) -> tax.Rate:
    stop = dt.date.fromisoformat(end) if end else None
    return tax.Rate("US", region, category, "Sales tax", D(value), dt.date.fromisoformat(start), stop)


RATE_TABLE = [
    rate("", "services", "0"),
    rate("TX", "standard", "0.0825"),
    rate("TX", "saas", "0.066", end="2026-07-01"),
    rate("TX", "saas", "0.07", start="2026-07-01"),
]


@pytest.mark.parametrize(
    ("region", "category", "on", "expected"),
    [
        ("TX", "saas", "2026-06-30", "0.066"),
        ("TX", "saas", "2026-07-01", "0.07"),
        ("TX", "hardware", "2026-07-01", "0.0825"),
        ("TX", "services", "2026-07-01", "0"),
        ("CA", "services", "2026-07-01", "0"),
        ("CA", "saas", "2026-07-01", None),
        ("TX", "saas", "2019-12-31", None),
    ],
)
def test_the_most_specific_rate_of_the_day_wins(
    region: str, category: str, on: str, expected: str | None
) -> None:
    decision = tax.Decision(tax.Treatment.STANDARD, "US", region)

    found = tax.find_rate(RATE_TABLE, decision, category, dt.date.fromisoformat(on))

    assert (found.rate if found else None) == (D(expected) if expected else None)


@pytest.mark.parametrize(
    ("supply", "treatment", "country"),
    [
        (tax.Supply("US", "US", "TX"), "standard", "US"),
        (tax.Supply("US", "US", "TX", buyer_exempt=True), "exempt", ""),
        (tax.Supply("US", "DE", buyer_tax_id="DE136695976"), "out_of_scope", ""),
        (tax.Supply("IE", "IE", buyer_tax_id="IE6388047V"), "standard", "IE"),
        (tax.Supply("IE", "GR", buyer_tax_id="EL094014201"), "reverse_charge", ""),
        (tax.Supply("IE", "GR"), "standard", "GR"),
        (tax.Supply("IE", "GB", buyer_tax_id="GB980780684"), "out_of_scope", ""),
        (tax.Supply("US", "US", "TX", through_marketplace=True), "marketplace", ""),
    ],
)
def test_place_of_supply(supply: tax.Supply, treatment: str, country: str) -> None:
    decision = tax.decide(supply)

    assert (decision.treatment.value, decision.country) == (treatment, country)
    assert bool(decision.note) == (treatment != "standard")
