"""What a judgement permits, and what versions are under it: the cases of 606-10-55 in units of a day each."""

from datetime import date, timedelta
from decimal import Decimal as D
from fractions import Fraction

import pytest

from o2c.money import quantize
from revenue.domain.judgements import Judgement, Told, contradictions, objections, replay
from revenue.domain.modifications import curve
from revenue.domain.types import Band, Treatment
from revenue.domain.versions import Promise, adjusted, initial, modified, schedule, versions_of
from tests.revenue.domain.test_shared_answers import cases

START = date(2026, 1, 1)
SEPARATE, PROSPECTIVE, CUMULATIVE = Treatment.SEPARATE, Treatment.PROSPECTIVE, Treatment.CUMULATIVE
LITERAL = {
    "MOD-8": ("1000000.00", "700000.00", "420000.00", "1350000.00", "820000.00", "91463.41"),
}


def day(n):
    return START + timedelta(days=n)


def promise(units, price, ssp=None, line=1):
    """`units` of one a day."""
    return Promise(line, D(price), D(ssp or price), (Band(START, day(units)),))


def chain(first, second, after, judged=None):
    """A contract of one promise and its modification after `after` units."""
    history = [initial(START, [first], "USD")]
    history.append(modified(history, day(after), [second], "USD", {1: judged} if judged else {}))
    return history


def earned(history, units):
    return curve(versions_of(history, 1))(day(units))


def catch_up(price, cost, to_date, new_price, new_cost):
    """Cost-to-cost with a unit a thousand of cost: what the day of the modification takes at once."""
    thousand = [int(D(x) / 1000) for x in (cost, to_date, new_cost)]
    history = chain(promise(thousand[0], price), promise(thousand[2], new_price), thousand[1], CUMULATIVE)
    one_more = Fraction(D(new_price)) / thousand[2]
    return earned(history, thousand[1] + 1) - one_more - earned(history, thousand[1])


@pytest.mark.parametrize(("price", "cost", "to_date", "after", "cost_after", "expected"), LITERAL.values())
def test_one_partly_satisfied_promise_catches_up(price, cost, to_date, after, cost_after, expected):
    """Example 8: 420 of 700, then of 820: 1,350,000 x 420/820 less 600,000."""
    assert quantize(catch_up(price, cost, to_date, after, cost_after), "USD") == D(expected)


@pytest.mark.parametrize("case", [c for c in cases("contract_modification") if c.id == "MOD-8"])
def test_example_8_as_published(case):
    inputs, expected = case["inputs"], case["expected"]
    after = expected["after_mod"]
    found = catch_up(
        inputs["fixed"], inputs["expected_cost"], inputs["cost_to_date"],
        after["transaction_price"], after["expected_cost"],
    )  # fmt: skip
    assert quantize(found, "USD") == D(expected["catch_up_exact"])


@pytest.mark.parametrize("case", [c for c in cases("contract_modification") if c.id in ("MOD-5A", "MOD-5B")])
def test_example_5_as_published(case):
    """Judged as the rule of the case says: a separate contract at its price, or blended over what remains."""
    said = case["inputs"]
    units, price, delivered = said["original_units"], D(said["unit_price"]), said["delivered_at_mod"]
    more = D(said["added_unit_price"]) * said["added_units"]
    separate = said["added_is_ssp"]
    first = promise(units, price * units)
    second = promise(units + said["added_units"], price * units + more)
    history = chain(first, second, delivered, SEPARATE if separate else PROSPECTIVE)
    one = earned(history, delivered + 1) - earned(history, delivered)
    last = earned(history, units + said["added_units"]) - earned(history, units + said["added_units"] - 1)
    if separate:
        assert (one, last) == (price, D(said["added_unit_price"]))
    else:
        assert quantize(one, "USD") == quantize(last, "USD") == D(case["expected"]["blended_price"])


def test_units_below_their_price_are_separate_only_when_judged_so():
    """Example 5 case B: 60 left at 100 and 30 more at 80 (SSP 95) blend to 93.33, unless judged separate."""
    first, second = promise(120, "12000"), promise(150, "14400", "14850")
    derived, judged = chain(first, second, 60), chain(first, second, 60, SEPARATE)

    assert derived[-1].priced[1].treatment is PROSPECTIVE
    assert quantize(earned(derived, 61) - earned(derived, 60), "USD") == D("93.33")
    assert earned(judged, 120) == 12000
    assert earned(judged, 121) - earned(judged, 120) == 80
    assert earned(judged, 150) == earned(derived, 150) == 14400


def test_a_judged_change_takes_its_price_to_its_own_line():
    """Two promises out of proportion: the change is pooled over both, unless it was judged."""
    first = [promise(100, "1000", "2000"), promise(100, "1000", "1000", line=2)]
    history = [initial(START, first, "USD")]
    assert [p.price for p in history[0].priced.values()] == [D("1333.33"), D("666.67")]
    later = [promise(100, "700", "1400"), first[1]]

    pooled = modified(history, day(50), later, "USD")
    judged = modified(history, day(50), later, "USD", {1: CUMULATIVE})

    # 300 less belong to line 1 alone when they were judged, and to what remains of both otherwise
    assert pooled.priced[1].price != D("1033.33")
    assert (judged.priced[1].price, judged.priced[2].price) == (D("1033.33"), D("666.67"))
    assert judged.priced[2].treatment is Treatment.NONE
    assert pooled.price == judged.price == D("1700.00")


def test_replaying_changes_the_judged_version_and_what_comes_after_it():
    first, cheaper, longer = promise(100, "1000"), promise(100, "800"), promise(150, "1200", "1300")
    history = [initial(START, [first], "USD")]
    history.append(modified(history, day(40), [cheaper], "USD"))
    history.append(adjusted(history, day(50)))
    history.append(modified(history, day(60), [longer], "USD"))
    events = ("first", "cheaper", "credit", "longer")
    told = [Told(s, h, s == "credit") for s, h in zip(events, history, strict=True)]

    again = replay(told, {"cheaper": {1: CUMULATIVE}}, "USD", since="cheaper")

    assert again[0] is told[0]
    assert again[1].state.priced[1].treatment is CUMULATIVE
    assert again[2].state.priced[1].treatment is Treatment.NONE
    assert sum(s.amount for s in schedule([t.state for t in again], 1, "USD")) == D("1200")
    assert curve(versions_of([t.state for t in again], 1))(day(50)) == 400  # half of 800
    assert replay(again, {}, "USD", since="cheaper") == told


@pytest.mark.parametrize(
    ("judgement", "text"),
    [
        (Judgement(CUMULATIVE, True), "is for service that is not distinct"),
        (Judgement(SEPARATE, False), "takes a cumulative catch-up"),
        (Judgement(PROSPECTIVE, None), "whether the service that remains is distinct"),
    ],
)
def test_answers_fit_the_treatment(judgement, text):
    assert text in contradictions(judgement)[0]


@pytest.mark.parametrize("judgement", [Judgement(None, None), Judgement(CUMULATIVE, False)])
def test_answers_that_fit_are_not_contradicted(judgement):
    assert contradictions(judgement) == []


@pytest.mark.parametrize(
    ("judgement", "second", "after", "text"),
    [
        (Judgement(SEPARATE, True), promise(150, "14400", "14850"), 60, "say why that is their stand-alone"),
        (Judgement(SEPARATE, True), promise(120, "13000"), 60, "adds no goods for a price"),
        (Judgement(SEPARATE, True), promise(150, "12000", "14850"), 60, "adds no goods for a price"),
        (Judgement(CUMULATIVE, False), promise(150, "14400", "14850"), 0, "had not begun by 2026-01-01"),
        (Judgement(CUMULATIVE, False), promise(120, "12000"), 60, "is not changed by this version"),
    ],
)
def test_what_may_not_be_is_said(judgement, second, after, text):
    history = chain(promise(120, "12000"), second, after)
    found = objections(judgement, history[0].priced[1], history[1].priced[1], day(after))
    assert text in found[0]


def test_a_reason_makes_a_price_below_ssp_a_separate_contract():
    history = chain(promise(120, "12000"), promise(150, "14400", "14850"), 60)
    answer = Judgement(SEPARATE, True, price_is_standalone=True)
    assert objections(answer, history[0].priced[1], history[1].priced[1], day(60)) == []


def test_service_before_the_change_may_not_move_in_a_separate_contract():
    wider = Promise(1, D("15000"), D("15000"), (Band(START, day(120), D("1.25")),))
    history = chain(promise(120, "12000"), wider, 60)
    found = objections(Judgement(SEPARATE, True), history[0].priced[1], history[1].priced[1], day(60))
    assert "what was promised before may not move" in found[0]


def test_a_new_promise_has_nothing_to_modify():
    history = [initial(START, [promise(100, "1000")], "USD")]
    history.append(modified(history, day(10), [promise(100, "1000"), promise(100, "500", line=2)], "USD"))
    found = objections(Judgement(CUMULATIVE, False), None, history[1].priced[2], day(10))
    assert "is new with this version" in found[0]
