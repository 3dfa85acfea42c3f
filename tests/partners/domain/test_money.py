"""Fees, balances and payments: known answers of the marketplaces."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partners.domain.balance import Event, balance, by_type, proofs
from partners.domain.bitemporal import Version, as_of, current
from partners.domain.capability import AWS_MARKETPLACE, CapabilitySheet
from partners.domain.fees import fee, marked_up, rate_for, resale
from partners.domain.payments import instalments, lateness, payment_term, status

RATES = CapabilitySheet.parse(AWS_MARKETPLACE).fees
TODAY = date(2026, 8, 1)


def D(text: str) -> Decimal:
    return Decimal(text)


def rate(programme: str, tcv: str, *, product_type: str = "saas", reseller: bool = False) -> Decimal:
    return rate_for(
        RATES, product_type=product_type, programme=programme, tcv=D(tcv), on=TODAY, resale=reseller
    )


def test_ami_software_is_ours_and_the_instance_is_not() -> None:
    """Known answer 6: 720 h at 0.12 software and 0.085 EC2; buyer 147.60, our gross 86.40, fee 17.28,
    net 69.12.
    """
    software, instance = 720 * D("0.12"), 720 * D("0.085")

    charged = fee(software, rate("public", "86.40", product_type="ami"), "USD")

    assert software + instance == D("147.60")
    assert (software, charged, software - charged) == (D("86.40"), D("17.28"), D("69.12"))


def test_public_saas_fee_and_payout() -> None:
    """Known answer 7: 1,000.00 of usage at 3 % pays out 970.00."""
    charged = fee(D("1000.00"), rate("public", "1000"), "USD")

    assert (charged, D("1000.00") - charged) == (D("30.00"), D("970.00"))


def test_million_through_a_partner_and_as_a_renewal() -> None:
    """Known answer 9: 2 % + 0.5 point is 25,000; the renewal rate is 15,000."""
    million = D("1000000")

    assert fee(million, rate("private", "1000000", reseller=True), "USD") == D("25000.00")
    assert fee(million, rate("renewal", "1000000"), "USD") == D("15000.00")


def test_resale_gives_us_wholesale_less_our_fee() -> None:
    """Known answer 10: wholesale 80,000, markup 25 %, below a million."""
    sale = resale(D("80000"), D("25"), rate("private", "80000", reseller=True), "USD")

    assert sale.buyer_price == D("100000.00")
    assert sale.reseller_margin == D("20000.00")
    assert (sale.listing_fee, sale.net) == (D("2800.00"), D("77200.00"))


def test_markup_of_five_percent() -> None:
    """Known answer 11."""
    assert marked_up(D("80000"), D("5.0"), "USD") == D("84000.00")


def test_fees_are_compared_by_amount_because_the_printed_percentage_is_cut() -> None:
    """Known answer 12: 189.48 of 9,474.23 prints as 0.0199 and is 2 %."""
    assert fee(D("9474.23"), D("0.02"), "USD") == D("189.48")
    assert (D("189.48") / D("9474.23")).quantize(D("0.0001"), rounding="ROUND_DOWN") == D("0.0199")


def test_the_contract_value_is_a_cliff() -> None:
    assert rate("private", "999999.99") == D("0.03")
    assert rate("private", "1000000") == D("0.02")
    with pytest.raises(LookupError, match="no listing-fee rate"):
        rate("auction", "1")


def test_agreement_charge_of_a_three_year_term() -> None:
    """Known answer 15: 28,440.00 at 3 % leaves 27,586.80."""
    charged = fee(D("28440.00"), rate("private", "28440"), "USD")

    assert (charged, D("28440.00") - charged) == (D("853.20"), D("27586.80"))


def test_flexible_payments_sum_to_the_contract() -> None:
    """Known answer 16: 100,000 in three; the fee is 1,000.00 each, 3,000.00 in all."""
    parts = instalments(D("100000"), 3, "USD")

    assert parts == [D("33333.33"), D("33333.33"), D("33333.34")]
    assert [fee(part, D("0.03"), "USD") for part in parts] == [D("1000.00")] * 3


def test_a_full_refund_nets_the_next_payment() -> None:
    """Known answer 18: 250.00 refunded after 970.00 was paid; 7.50 of the fee comes back."""
    paid = D("1000.00") - fee(D("1000.00"), D("0.03"), "USD")
    refund = D("-250.00") - fee(D("-250.00"), D("0.03"), "USD")

    assert (refund, paid + refund) == (D("-242.50"), D("727.50"))


def row(event_id: str, action: str, kind: str, amount: str, parent: str = "", payment: str = "") -> Event:
    return Event(event_id, action, kind, D(amount), parent, payment)


def test_seller_of_record_is_square_after_payment() -> None:
    """Known answer 2: lines -100, +80, +0.2 and a payment of 19.8."""
    events = [
        row("I0", "INVOICED", "SELLER_REV_SHARE", "100"),
        row("I1", "INVOICED", "AWS_TAX_SHARE", "20.6"),
        row("I2", "INVOICED", "SELLER_REV_SHARE", "-80"),
        row("I3", "INVOICED", "AWS_REV_SHARE", "-0.2"),
        row("I10", "DISBURSED", "SELLER_REV_SHARE", "-100", "I0", "I14"),
        row("I12", "DISBURSED", "SELLER_REV_SHARE", "80", "I2", "I14"),
        row("I13", "DISBURSED", "AWS_REV_SHARE", "0.2", "I3", "I14"),
        row("I14", "DISBURSED", "DISBURSEMENT", "19.8"),
    ]

    assert balance(events).open == D("0")
    [proof] = proofs(events)
    assert (proof.lines, proof.gap, proof.holds) == (D("-19.8"), D("0"), True)


def test_manufacturer_is_paid_revenue_and_tax_less_fee_on_revenue() -> None:
    """Known answer 3: 73.5 + 6.5 - 7.35 = 72.65; the fee is 10 % of 73.5, not of 80."""
    events = [
        row("I5", "INVOICED", "SELLER_REV_SHARE", "73.5"),
        row("I6", "INVOICED", "SELLER_TAX_SHARE", "6.5"),
        row("I7", "INVOICED", "AWS_REV_SHARE", "-7.35"),
        row("I30", "DISBURSED", "SELLER_REV_SHARE", "-73.5", "I5", "I33"),
        row("I31", "DISBURSED", "SELLER_TAX_SHARE", "-6.5", "I6", "I33"),
        row("I32", "DISBURSED", "AWS_REV_SHARE", "7.35", "I7", "I33"),
        row("I33", "DISBURSED", "DISBURSEMENT", "72.65"),
    ]

    assert balance(events).earned == D("72.65")
    assert balance(events).open == D("0")
    assert by_type(events) == {
        "SELLER_REV_SHARE": D("73.5"),
        "SELLER_TAX_SHARE": D("6.5"),
        "AWS_REV_SHARE": D("-7.35"),
    }
    assert fee(D("73.5"), D("0.10"), "USD") == D("7.35")


def test_a_failed_bank_transfer_reopens_its_lines() -> None:
    events = [
        row("I1", "INVOICED", "SELLER_REV_SHARE", "100"),
        row("P1", "DISBURSED", "SELLER_REV_SHARE", "-100", "I1", "D1"),
        row("D1", "DISBURSED", "DISBURSEMENT", "100"),
        row("F1", "DISBURSED", "DISBURSEMENT_FAILURE", "-100", "D1"),
    ]

    assert balance(events).open == D("100")
    assert [proof.failed for proof in proofs(events)] == [True]


def test_payment_term_and_lateness_from_three_dates() -> None:
    """Known answer 34."""
    assert payment_term(date(2026, 6, 2), date(2026, 7, 2)) == "Net 30 days"
    assert (date(2026, 8, 15) - date(2026, 7, 2)).days == 44
    assert lateness(date(2026, 7, 2), date(2026, 8, 15)) == "31-60 days late"
    assert lateness(date(2026, 7, 2), date(2026, 7, 2)) == "Not due"


def test_a_penny_over_or_under_closes_itself() -> None:
    """Known answer 35: the channel's documented penny; anything more stays open."""
    over, under = status(D("970.00"), D("970.01")), status(D("970.00"), D("969.99"))

    assert (over.label, over.break_type, over.difference) == ("Disbursed", "ROUND", D("-0.01"))
    assert (under.label, under.break_type, under.difference) == ("Partially disbursed", "ROUND", D("0.01"))
    assert over.closes_itself
    assert under.closes_itself
    assert not status(D("970.00"), D("900.00")).closes_itself
    assert status(D("970.00"), D("0")).label == "Not disbursed"
    assert status(D("970.00"), D("0"), failed=True).break_type == "FAILED_DISB"


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


HISTORY = [
    Version("k", moment("2018-12-12T02:00:00"), moment("2018-12-12T02:00:00"), "first"),
    Version("k", moment("2019-03-29T03:00:00"), moment("2019-03-29T03:00:00"), "second"),
    Version("k", moment("2019-03-29T03:00:00"), moment("2019-04-28T03:00:00"), "third"),
]


def test_a_correction_rewrites_the_past_but_not_what_was_known() -> None:
    """Known answer 36."""
    assert current(HISTORY)["k"].payload == "third"
    assert current(HISTORY, known_at=moment("2019-04-01T00:00:00"))["k"].payload == "second"
    assert as_of(HISTORY, moment("2019-01-15T00:00:00"))["k"].payload == "first"
    assert as_of(HISTORY, moment("2010-01-01T00:00:00"))["k"].payload == "first"


@given(st.permutations(HISTORY))
def test_the_order_of_delivery_does_not_matter(rows: list[Version]) -> None:
    assert current(rows)["k"].payload == "third"


@given(st.decimals(min_value=1, max_value=10**9, places=2), st.integers(1, 60))
def test_instalments_always_sum_to_the_contract(total: Decimal, count: int) -> None:
    parts = instalments(total, count, "USD")

    assert sum(parts) == total
    assert max(parts) - min(parts) <= D("0.01")
