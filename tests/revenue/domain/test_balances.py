"""Differences, credits, breakage, exchange layers, positions and remaining obligations."""

from datetime import date
from decimal import Decimal as D
from fractions import Fraction
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from o2c.money import allocate
from o2c.periods import Period
from revenue.domain.allocation import split
from revenue.domain.breakage import drawdown, expire
from revenue.domain.differences import difference, spread_charges
from revenue.domain.drawdown import Commitment, earn
from revenue.domain.layers import Layer, release, remeasure, settle
from revenue.domain.position import Pricing, attribute, position
from revenue.domain.rpo import bands, excluded
from revenue.domain.schedules import ratable
from revenue.domain.types import Slice

JAN, FEB, MAR, APR = (date(2026, m, 1) for m in (1, 2, 3, 4))


def plan_of(amount, period):
    return {s.month: s.amount for s in ratable(D(amount), period, "USD")}


# --- differences -----------------------------------------------------------------------------------


def test_a_credit_before_payment_follows_the_schedule_of_its_invoice():
    """ST-CN-PRE: 120 for January to March less 30 is 31, 28, 31; in leap year 2024 30.66, 28.68, 30.66."""
    quarter = Period(JAN, APR)
    invoice, credit = plan_of("120.00", quarter), plan_of("-30.00", quarter)

    assert [str(invoice[m] + credit[m]) for m in (JAN, FEB, MAR)] == ["31.00", "28.00", "31.00"]

    leap = Period(date(2024, 1, 1), date(2024, 4, 1))
    invoice, credit = plan_of("120.00", leap), plan_of("-30.00", leap)
    assert [str(invoice[m] + credit[m]) for m in invoice] == ["30.66", "28.68", "30.66"]


def test_a_credit_after_the_close_takes_back_the_earned_share_in_the_open_month():
    """ST-CN-POST: 90 for January to March, January closed with 31; on 1 February 45 is credited."""
    quarter = Period(JAN, APR)
    planned = plan_of("90.00", quarter)
    posted = {JAN: planned[JAN]}
    for month, amount in plan_of("-45.00", quarter).items():
        planned[month] += amount

    found = difference(planned, posted, after=None, through=FEB)

    assert found == (Slice(JAN, D("-15.50")), Slice(FEB, D("14.00")))
    assert sum(planned.values()) == D("45.00")
    # 45 credited less 15.50 taken from revenue: 29.50 released from the liability
    assert D("45.00") - D("15.50") == D("29.50")


def test_service_of_closed_months_is_caught_up_in_the_open_one():
    """BACKDATED: invoice in May for April to September at 100 a month; April is closed."""
    planned = {date(2026, m, 1): D("100.00") for m in range(4, 10)}

    found = difference(planned, {}, after=None, through=date(2026, 5, 1))

    assert sum(s.amount for s in found) == D("200.00")
    assert [s.month for s in found] == [date(2026, 4, 1), date(2026, 5, 1)]


def test_a_month_that_is_still_open_keeps_its_own():
    """BACKDATED, with an open April: May takes May alone."""
    planned = {date(2026, m, 1): D("100.00") for m in range(4, 10)}

    found = difference(planned, {}, after=date(2026, 4, 1), through=date(2026, 5, 1))

    assert found == (Slice(date(2026, 5, 1), D("100.00")),)


def test_two_lines_when_the_books_were_frozen_to_may():
    """ER-FROZEN: May to July at 1,000; the run of June posts May and June, each under its month."""
    planned = {date(2023, m, 1): D("1000.00") for m in (5, 6, 7)}

    found = difference(planned, {}, after=None, through=date(2023, 6, 1))

    assert found == (Slice(date(2023, 5, 1), D("1000.00")), Slice(date(2023, 6, 1), D("1000.00")))


def test_late_usage_of_a_closed_month_posts_in_the_open_one_under_its_own():
    """USAGE-LATE: 12.00 of 30 January arrives on 6 February; January is closed."""
    assert difference({JAN: D("62.00")}, {JAN: D("50.00")}, after=None, through=FEB) == (
        Slice(JAN, D("12.00")),
    )


def test_past_service_lands_in_the_invoice_month():
    """OCA-MULTI, line F: December to February at 259 a month, invoiced in January: 518 in January."""
    months = {date(2022, 12, 1): D("259.00"), date(2023, 1, 1): D("259.00"), date(2023, 2, 1): D("259.00")}

    found = difference(months, {}, after=None, through=date(2023, 1, 1))

    assert sum(s.amount for s in found) == D("518.00")


def test_a_month_that_the_plan_no_longer_has_is_taken_back():
    assert difference({}, {JAN: D("10.00")}, after=None, through=FEB) == (Slice(JAN, D("-10.00")),)


def test_usage_inside_a_month_belongs_to_it_and_service_across_months_is_spread():
    """ROY-61 in kind: what is used in a month is earned in it; 31.00 across two months is 17 and 14."""
    charges = [
        (Period(JAN, FEB), D("46.28")),
        (Period(date(2026, 1, 15), date(2026, 2, 15)), D("31.00")),
    ]

    assert spread_charges(charges, MAR, "USD") == {JAN: D("63.28"), FEB: D("14.00")}


MAPS = st.dictionaries(
    st.integers(1, 12).map(lambda m: date(2026, m, 1)),
    st.integers(-(10**6), 10**6).map(lambda c: D(c).scaleb(-2)),
)


@given(MAPS, MAPS)
def test_after_posting_the_difference_nothing_differs(planned, posted):
    december = date(2026, 12, 1)
    books = dict(posted)
    for part in difference(planned, posted, after=None, through=december):
        books[part.month] = books.get(part.month, D(0)) + part.amount

    assert difference(planned, books, after=None, through=december) == ()
    assert sum(books.values()) == sum(planned.values())


# --- prepaid commitments ----------------------------------------------------------------------------


def test_credits_bought_and_partly_used():
    """LG-WALLET: 100 bought, 30 used."""
    after = drawdown(D("100.00"), D("30.00"), "USD")

    assert (after.revenue, after.liability) == (D("30.00"), D("70.00"))


def test_breakage_is_earned_with_the_burn():
    """BRK-GC-1000: 540 of 1,000 redeemed, a tenth expected never to be."""
    after = drawdown(D("1000.00"), D("540.00"), "USD", expected_breakage=Fraction(1, 10))

    assert (after.burned, after.breakage, after.liability) == (D("540.00"), D("60.00"), D("400.00"))


def test_without_an_estimate_breakage_waits_until_it_is_remote():
    """BRK-REMOTE."""
    after = drawdown(D("1000.00"), D("450.00"), "USD")

    assert after.revenue == D("450.00")
    assert expire(D("1000.00"), after.revenue) == D("550.00")


def test_three_months_of_burn_with_breakage():
    """COMMIT-BURN: 120,000, a tenth expected unused, burn of 30k, 20k and 40k, then expiry."""
    tenth = Fraction(1, 10)
    revenue = [
        drawdown(D("120000.00"), D(burn), "USD", expected_breakage=tenth).revenue
        for burn in (0, 30000, 50000, 90000)
    ]

    assert [b - a for a, b in pairwise(revenue)] == [
        D("33333.33"), D("22222.23"), D("44444.44"),
    ]  # fmt: skip
    assert expire(D("120000.00"), revenue[-1]) == D("20000.00")


def test_a_burn_past_the_estimate_asks_for_a_new_one():
    """COMMIT-REBASE: 950 of 1,000 burned with a tenth expected unused."""
    tenth = Fraction(1, 10)

    assert drawdown(D("1000.00"), D("450.00"), "USD", expected_breakage=tenth).revenue == D("500.00")
    over = drawdown(D("1000.00"), D("950.00"), "USD", expected_breakage=tenth)
    assert over.needs_estimate
    assert over.revenue <= D("1000.00")
    twentieth = drawdown(D("1000.00"), D("950.00"), "USD", expected_breakage=Fraction(1, 20))
    assert (twentieth.revenue, twentieth.liability) == (D("1000.00"), D("0.00"))
    none = drawdown(D("1000.00"), D("950.00"), "USD")
    assert (none.revenue, none.liability) == (D("950.00"), D("50.00"))


def test_use_beyond_the_commitment_does_not_draw_on_it():
    """OVERAGE: 12,500 used of 10,000: the commitment gives 10,000, the rest is charged as used."""
    after = drawdown(D("10000.00"), D("12500.00"), "USD")

    assert (after.revenue, after.liability) == (D("10000.00"), D("0.00"))


# --- exchange rates ---------------------------------------------------------------------------------


def test_revenue_takes_the_rate_of_the_advance_and_then_of_the_day():
    """FX-IFRIC22-4: 200 paid ahead at 1.50; 450 earned at 1.70, 550 at 1.90; paid at 1.90."""
    advance = Layer(D("200.00"), D("300.00"))

    first = release(advance, D("450.00"), D("1.70"), "USD")
    owed = Layer(D("200.00") - D("450.00"), D("300.00") - first)
    second = release(Layer(), D("550.00"), D("1.90"), "USD")

    assert first == D("725.00")
    assert owed == Layer(D("-250.00"), D("-425.00"))
    assert second == D("1045.00")
    assert first + second == D("1770.00")
    assert settle(owed, Layer(D("250.00"), D("475.00")), "USD") == D("50.00")


def test_january_of_an_annual_invoice_keeps_the_rate_of_the_invoice():
    """FX-AR-REMEASURE: 1,200 EUR at 1.10; January earns 101.92 EUR, 112.11 USD, whatever the rate is now."""
    assert release(Layer(D("1200.00"), D("1320.00")), D("101.92"), D("1.15"), "USD") == D("112.11")


def test_a_contract_asset_is_measured_at_the_closing_rate():
    """FX-NS-CA: 1,000 unbilled, 1.20 before and 1.25 now: 50."""
    assert remeasure(Layer(D("1000.00"), D("1200.00")), D("1.25"), "USD") == D("50.00")


@given(
    st.lists(st.tuples(st.integers(1, 10**7), st.integers(5000, 20000)), min_size=1, max_size=5),
    st.lists(st.integers(1, 100), min_size=1, max_size=12),
)
def test_a_balance_of_zero_is_worth_zero(advances, weights):
    """Any advances at any rates, released in any parts: nothing is stranded."""
    balance = Layer()
    for cents, rate in advances:
        amount = D(cents).scaleb(-2)
        balance += Layer(amount, (amount * D(rate).scaleb(-4)).quantize(D("0.01")))
    whole, given_back = balance, D(0)

    for part in split(whole.amount, weights, "EUR"):
        worth = release(balance, part, D("9.99"), "USD")
        balance -= Layer(part, worth)
        given_back += worth

    assert balance == Layer(D("0.00"), D("0.00"))
    assert given_back == whole.functional


# --- positions --------------------------------------------------------------------------------------


def test_an_asset_until_both_products_are_delivered():
    """PRES-39: A delivered for 400, nothing billed."""
    found = position({1: D("-400.00"), 2: D("0.00")}, "USD")

    assert (found.asset, found.liability) == (D("400.00"), D("0"))
    assert found.reclass == {1: D("400.00")}


def test_a_contract_is_an_asset_or_a_liability_and_never_both():
    found = position({1: D("-40.00"), 2: D("100.00")}, "USD")

    assert (found.asset, found.liability, found.reclass) == (D("0"), D("60.00"), {})


def test_the_ramp_is_an_asset_of_50_000_in_its_first_two_years():
    """RAMP-3Y: billed 100k, 150k, 200k; earned 150k a year."""
    billed, earned, assets = D(0), D(0), []
    for bill in ("100000.00", "150000.00", "200000.00"):
        billed += D(bill)
        earned += D("150000.00")
        assets.append(position({1: billed - earned}, "USD").asset)

    assert assets == [D("50000.00"), D("50000.00"), D("0")]


def test_billing_is_attributed_as_the_price_was_allocated():
    """Licence billed 600 and allocated 500, service billed 300 of 400 and allocated 500."""
    prices = {1: Pricing(D("600.00"), D("500.00")), 2: Pricing(D("400.00"), D("500.00"))}

    moves = attribute({1: D("600.00"), 2: D("300.00")}, prices, "USD")

    assert moves == {1: D("-100.00"), 2: D("100.00")}


def test_a_giver_gives_as_it_is_billed():
    """Seats of 400, allocated 300, billed by half; the setup gets 50 of its 100 so far."""
    prices = {1: Pricing(D("400.00"), D("300.00")), 2: Pricing(D("50.00"), D("150.00"))}

    moves = attribute({1: D("200.00"), 2: D("50.00")}, prices, "USD")

    assert moves == {1: D("-50.00"), 2: D("50.00")}


amounts = st.lists(st.integers(1, 10**8), min_size=1, max_size=6)


@given(amounts, st.data())
def test_attribution_keeps_the_sum_and_ends_at_the_allocation(stated, data):
    weights = data.draw(st.lists(st.integers(0, 100), min_size=len(stated), max_size=len(stated)).filter(any))
    total = D(sum(stated)).scaleb(-2)
    allocated = allocate(total, weights, "USD")
    prices = {
        i: Pricing(D(cents).scaleb(-2), share)
        for i, (cents, share) in enumerate(zip(stated, allocated, strict=True))
    }
    partly = {
        i: data.draw(st.integers(0, cents).map(lambda c: D(c).scaleb(-2))) for i, cents in enumerate(stated)
    }

    assert sum(attribute(partly, prices, "USD").values(), D(0)) == 0
    whole = {i: price.stated for i, price in prices.items()}
    moves = attribute(whole, prices, "USD")
    assert {i: whole[i] + moves.get(i, D(0)) for i in whole} == dict(enumerate(allocated))


@given(st.dictionaries(st.integers(1, 9), st.integers(-(10**8), 10**8).map(lambda c: D(c).scaleb(-2))))
def test_after_reclass_a_contract_in_debit_has_no_liability(balances):
    found = position(balances, "USD")

    assert sum(found.reclass.values(), D(0)) == found.asset
    assert found.liability - found.asset == sum(balances.values(), D(0))
    assert all(part <= -balances[key] for key, part in found.reclass.items())


# --- remaining performance obligations --------------------------------------------------------------


def test_hourly_billing_is_not_disclosed():
    """RPO-42A."""
    assert excluded(as_charged=True, days=730, short_term_expedient=False).startswith("606-10-50-14(b)")


def test_a_fixed_monthly_price_for_two_years():
    """RPO-42B: 400 a month for 24 months, six gone."""
    slices = [Slice(date(2026 + (i + 6) // 12, (i + 6) % 12 + 1, 1), D("400.00")) for i in range(24)]

    found = bands(slices, date(2027, 1, 1), [date(2028, 1, 1), date(2029, 1, 1)])

    assert [amount for _, amount in found] == [D("4800.00"), D("2400.00"), D("0")]


def test_a_time_based_variable_price_is_part_of_it():
    """RPO-42C: 100 a month + 750 estimated over 24 months: 131.25 a month."""
    slices = [Slice(date(2026 + (i + 6) // 12, (i + 6) % 12 + 1, 1), D("131.25")) for i in range(24)]

    found = bands(slices, date(2027, 1, 1), [date(2028, 1, 1), date(2029, 1, 1)])

    assert [amount for _, amount in found] == [D("1575.00"), D("787.50"), D("0")]


def test_a_year_or_less_may_be_left_out():
    assert excluded(as_charged=False, days=365, short_term_expedient=True).startswith("606-10-50-14(a)")
    assert excluded(as_charged=False, days=365, short_term_expedient=False) == ""


def test_a_commitment_earns_what_is_drawn_of_it():
    """1,000.00 prepaid; 600.00 drawn in May, 400.00 in June; nothing is left to lapse."""
    may, june = (date(2026, m, 1) for m in (5, 6))

    earned = earn(Commitment(D("1000.00"), D("1000.00")), {may: D("600.00"), june: D("400.00")}, {}, "USD")

    assert earned == ({may: D("600.00"), june: D("400.00")}, {})


def test_credits_bought_at_a_discount_earn_what_was_paid_for_them():
    """9,000.00 paid for 10,000.00 of usage: 3,333.33 used earns 3,000.00, all of it 9,000.00."""
    may, june = (date(2026, m, 1) for m in (5, 6))
    drawn = {may: D("3333.33"), june: D("6666.67")}

    used, _ = earn(Commitment(D("9000.00"), D("10000.00")), drawn, {}, "USD")

    assert used == {may: D("3000.00"), june: D("6000.00")}


def test_what_is_left_of_a_commitment_is_breakage_when_it_ends():
    """SHORTFALL in kind: 12,000 committed, 9,000 used: 3,000 on expiry."""
    may = date(2026, 5, 1)

    earned = earn(Commitment(D("12000.00"), D("12000.00")), {may: D("9000.00")}, {may: D("3000.00")}, "USD")

    assert earned == ({may: D("9000.00")}, {may: D("3000.00")})


@given(st.integers(0, 10**7), st.lists(st.integers(1, 10**6), min_size=1, max_size=6), st.integers(0, 10**6))
def test_all_credit_gone_earns_the_whole_price(cents, draws, rest):
    amount = D(cents).scaleb(-2)
    drawn = {date(2026, m + 1, 1): D(c).scaleb(-2) for m, c in enumerate(draws)}
    face = D(sum(draws) + rest).scaleb(-2)

    used, expired = earn(Commitment(amount, face), drawn, {date(2026, 7, 1): D(rest).scaleb(-2)}, "USD")

    assert sum(used.values(), D(0)) + sum(expired.values(), D(0)) == amount
    assert all(part >= 0 for part in (*used.values(), *expired.values()))
