"""Contract versions: what each obligation is priced at, and what a change does to it."""

from datetime import date
from decimal import Decimal as D

from hypothesis import given
from hypothesis import strategies as st

from revenue.domain.types import Band, Treatment
from revenue.domain.versions import RELATIVE, STATED, Promise, State, initial, modified, schedule

JAN = date(2026, 1, 1)
YEAR = (Band(JAN, date(2027, 1, 1)),)


def promise(line, stated, ssp, bands=YEAR):
    return Promise(line, D(stated), D(ssp), bands)


def prices(state):
    return {line: str(p.price) for line, p in state.priced.items()}


def test_stated_prices_in_proportion_are_the_allocation():
    """Ten percent off everything; the cents of monthly rounding move nothing between the lines."""
    state = initial(JAN, [promise(1, "900.04", "1000.00"), promise(2, "89.98", "100.00")], "USD")

    assert prices(state) == {1: "900.04", 2: "89.98"}
    assert state.priced[1].rule == STATED


def test_a_free_service_takes_its_share_of_the_price():
    """Onboarding stated at 0.00 and worth 500 with a licence of 4,500 stated at 5,000."""
    state = initial(JAN, [promise(1, "5000.00", "4500.00"), promise(2, "0.00", "500.00")], "USD")

    assert prices(state) == {1: "4500.00", 2: "500.00"}
    assert state.priced[2].rule == RELATIVE


def test_a_change_of_price_after_a_delivery_is_spread_over_what_remains():
    """MOD-6: X (delivered) and Y at 600 each, then Z for 300 with equal SSPs: Y and Z at 450."""
    x, y = Band(date(2026, 7, 1), date(2026, 7, 2)), Band(date(2027, 3, 31), date(2027, 4, 1))
    z = Band(date(2027, 6, 30), date(2027, 7, 1))
    first = initial(JAN, [promise(1, "600.00", "600.00", (x,)), promise(2, "600.00", "600.00", (y,))], "USD")

    later = modified(
        [first],
        date(2026, 11, 30),
        [
            promise(1, "600.00", "600.00", (x,)),
            promise(2, "600.00", "600.00", (y,)),
            promise(3, "300.00", "600.00", (z,)),
        ],
        "USD",
    )

    assert prices(later) == {1: "600.00", 2: "450.00", 3: "450.00"}
    assert later.priced[1].treatment is Treatment.NONE


def test_an_addition_at_its_own_price_leaves_a_reallocated_contract_alone():
    first = initial(JAN, [promise(1, "5000.00", "4500.00"), promise(2, "0.00", "500.00")], "USD")
    july = (Band(date(2026, 7, 1), date(2027, 1, 1)),)

    later = modified(
        [first],
        date(2026, 7, 1),
        [
            promise(1, "5000.00", "4500.00"),
            promise(2, "0.00", "500.00"),
            promise(3, "300.00", "300.00", july),
        ],
        "USD",
    )

    assert prices(later) == {1: "4500.00", 2: "500.00", 3: "300.00"}
    assert later.priced[3].treatment is Treatment.INITIAL


def test_more_seats_at_the_list_price_are_separate():
    ten = (Band(JAN, date(2027, 1, 1), D(10)),)
    fifteen = (Band(JAN, date(2026, 7, 1), D(10)), Band(date(2026, 7, 1), date(2027, 1, 1), D(15)))
    first = initial(JAN, [promise(1, "12000.00", "12000.00", ten)], "USD")

    later = modified([first], date(2026, 7, 1), [promise(1, "15000.00", "15000.00", fifteen)], "USD")

    assert later.priced[1].treatment is Treatment.SEPARATE
    assert sum(s.amount for s in schedule([first, later], 1, "USD")) == D("15000.00")


def test_a_price_cut_is_spread_over_what_remains():
    first = initial(JAN, [promise(1, "12000.00", "12000.00")], "USD")
    later = modified([first], date(2026, 7, 1), [promise(1, "11000.00", "12000.00")], "USD")

    plan = schedule([first, later], 1, "USD")

    assert later.priced[1].treatment is Treatment.PROSPECTIVE
    assert [s.amount for s in plan[:6]] == [s.amount for s in schedule([first], 1, "USD")[:6]]
    assert sum(s.amount for s in plan) == D("11000.00")


def test_cancelling_with_a_refund_keeps_what_was_served():
    first = initial(JAN, [promise(1, "12000.00", "12000.00")], "USD")
    half = (Band(JAN, date(2026, 7, 1)),)
    later = modified([first], date(2026, 7, 1), [promise(1, "5950.68", "5950.68", half)], "USD")

    plan = schedule([first, later], 1, "USD")

    assert [s.amount for s in plan[:6]] == [s.amount for s in schedule([first], 1, "USD")[:6]]
    assert sum(s.amount for s in plan) == D("5950.68")


STATES = st.lists(
    st.lists(
        st.tuples(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(1, 365)), min_size=3, max_size=3
    ),
    min_size=1,
    max_size=4,
)


@given(STATES, st.lists(st.integers(1, 364), min_size=4, max_size=4))
def test_every_version_allocates_its_whole_price_and_schedules_all_of_it(states, days):
    history: list[State] = []
    for rows, day in zip(states, days, strict=False):
        promises = [
            Promise(
                line,
                D(stated).scaleb(-2),
                D(ssp).scaleb(-2),
                (Band(JAN, date.fromordinal(JAN.toordinal() + length)),),
            )
            for line, (stated, ssp, length) in enumerate(rows)
        ]
        if history:
            on = date.fromordinal(JAN.toordinal() + day)
            history.append(modified(history, on, promises, "USD"))
        else:
            history.append(initial(JAN, promises, "USD"))
        assert history[-1].price == sum(p.stated for p in promises)

    for line in range(3):
        planned = sum((s.amount for s in schedule(history, line, "USD")), D(0))
        assert planned == history[-1].priced[line].price
