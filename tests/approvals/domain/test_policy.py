"""What a policy asks, when it asks again, what the lint finds, when a step is due."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from o2c.controls.approvals.domain import policy as rules
from o2c.controls.approvals.domain.calendar import BusinessCalendar
from o2c.controls.approvals.domain.canonical import canonical, differences, digest
from o2c.controls.approvals.domain.lint import lint
from o2c.errors import InvalidInput

CONTENT = {
    "title": "Credits",
    "clause": "Above 5,000 an approver, above 50,000 the controller too.",
    "bands": {
        "path": "amount",
        "levels": [
            {"up_to": "5000", "steps": []},
            {"up_to": "50000", "steps": ["approver"]},
            {"up_to": None, "steps": ["approver", "controller"]},
        ],
    },
    "rules": [
        {
            "code": "terms",
            "because": "Longer than 45 days",
            "when": [{"path": "terms.days", "op": ">", "value": "45"}],
            "steps": ["controller"],
        }
    ],
    "steps": [
        {
            "code": "approver",
            "title": "Approver",
            "duty": "d.approve",
            "watches": [{"path": "amount", "worse": "up"}],
        },
        {
            "code": "controller",
            "title": "Controller",
            "duty": "d.control",
            "watches": [{"path": "amount", "worse": "up"}, {"path": "terms.days", "worse": "change"}],
        },
    ],
}
POLICY = rules.parse(CONTENT)
PATHS = {"amount", "terms.days"}
DUTIES = {"d.approve": 3, "d.control": 2, rules.GOVERNS: 1}


def facts(amount: str, days: str = "30") -> dict:
    return {"amount": amount, "terms": {"days": days}}


def steps(amount: str, days: str = "30") -> list[str]:
    return [one.step.code for one in rules.asked(POLICY, facts(amount, days))]


def problems(**changed) -> list[str]:
    policy = rules.parse({**CONTENT, **changed})
    return [p.text for p in lint(policy, paths=PATHS, duties=set(DUTIES), holders=DUTIES)]


def test_what_is_late_goes_to_somebody_who_is_there():
    assert POLICY.step("approver").escalate_to == rules.GOVERNS
    wrong = [CONTENT["steps"][0], {**CONTENT["steps"][1], "escalate_to": "d.nothing"}]  # type: ignore[index]
    assert problems(steps=wrong) == [
        "Step controller escalates to 'd.nothing', which is no duty of this product"
    ]
    nobody = lint(POLICY, paths=PATHS, duties=set(DUTIES), holders={**DUTIES, rules.GOVERNS: 0})
    assert {(p.text.partition(": ")[2], p.blocks) for p in nobody} == {
        ("nobody holds approvals.policy.activate", False)
    }


@pytest.mark.parametrize(
    ("amount", "days", "expected"),
    [
        ("5000.00", "30", []),
        ("5000.01", "30", ["approver"]),
        ("50000", "30", ["approver"]),
        ("50000.01", "30", ["approver", "controller"]),
        ("10", "46", ["controller"]),
    ],
)
def test_a_band_includes_its_limit_and_rules_add_to_it(amount, days, expected):
    assert steps(amount, days) == expected


def test_why_a_step_is_asked_is_said():
    asked = rules.asked(POLICY, facts("60000", "60"))
    assert asked[1].because == ("amount 60000 is above 50000", "Longer than 45 days")


@pytest.mark.parametrize(
    "broken", [{}, {"amount": "much"}, {"amount": None, "terms": {"days": "1"}}, {"amount": 1.5}]
)
def test_what_the_facts_do_not_say_refuses(broken):
    with pytest.raises(InvalidInput):
        rules.asked(POLICY, broken)


@pytest.mark.parametrize(
    ("path", "worse", "before", "after", "expected"),
    [
        ("amount", "up", "100.00", "100.01", ["amount"]),
        ("amount", "up", "100.00", "99.99", []),
        ("amount", "down", "100.00", "99.99", ["amount"]),
        ("amount", "change", "100.00", "99.99", ["amount"]),
        ("amount", "up", "100.00", "a lot", ["amount"]),
        ("amount", "up", "100.00", None, ["amount"]),
        ("amount", "up", "9", "10", ["amount"]),
        ("other", "change", "x", "x", []),
    ],
)
def test_only_what_moves_in_the_unsafe_direction_is_worse(path, worse, before, after, expected):
    watch = (rules.Watch(path, worse),)
    assert rules.worsened(watch, {path: before}, {path: after}) == expected


@given(st.decimals("0", "200000", places=2), st.decimals("0", "200000", places=2))
def test_more_money_never_asks_fewer_people(one, two):
    low, high = sorted((one, two))
    assert set(steps(str(low))) <= set(steps(str(high)))


@given(st.decimals("0", "200000", places=2), st.decimals("0.01", "1000", places=2))
def test_an_increase_is_always_worse_and_a_decrease_never(amount, by):
    watch = POLICY.step("approver").watches
    assert rules.worsened(watch, facts(str(amount)), facts(str(amount + by)))
    assert not rules.worsened(watch, facts(str(amount + by)), facts(str(amount)))


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=5)
    | st.decimals(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=3), VALUES, max_size=4))
def test_the_order_of_keys_does_not_change_the_digest(value):
    assert digest(dict(reversed(list(value.items())))) == digest(value)


@given(st.decimals("0", "99999", places=2))
def test_one_cent_changes_the_digest(amount):
    assert digest({"a": amount}) != digest({"a": amount + Decimal("0.01")})


def test_canonical_text_is_exact():
    assert canonical({"b": [1, None], "a": Decimal("10.50"), "c": dt.date(2026, 9, 1)}) == (
        '{"a":"10.50","b":[1,null],"c":"2026-09-01"}'
    )
    with pytest.raises(InvalidInput, match="float"):
        canonical({"a": 0.1})


def test_differences_name_the_path():
    assert differences({"a": {"b": "1"}, "c": "x"}, {"a": {"b": "2"}, "c": "x"}) == [
        {"path": "a.b", "before": "1", "after": "2"}
    ]


def test_the_lint_passes_what_is_whole():
    assert problems() == []


@pytest.mark.parametrize(
    ("levels", "text"),
    [
        ([{"up_to": "10", "steps": ["approver", "controller"]}], "gap"),
        (
            [
                {"up_to": "10", "steps": ["approver"]},
                {"up_to": "10", "steps": ["approver", "controller"]},
                {"up_to": None, "steps": ["approver", "controller"]},
            ],
            "overlap",
        ),
        (
            [{"up_to": None, "steps": ["approver"]}, {"up_to": None, "steps": ["approver", "controller"]}],
            "unreachable",
        ),
        ([{"up_to": None, "steps": ["controller"]}], "Nothing ever asks for step approver"),
        ([{"up_to": None, "steps": ["approver", "controller", "cfo"]}], "'cfo', which is no step"),
    ],
)
def test_the_lint_finds_gaps_overlaps_and_what_is_never_reached(levels, text):
    assert any(text in problem for problem in problems(bands={"path": "amount", "levels": levels}))


def test_the_lint_wants_a_spare_person_for_every_step():
    policy = rules.parse(CONTENT)
    found = lint(policy, paths=PATHS, duties=set(DUTIES), holders={**DUTIES, "d.approve": 3, "d.control": 1})
    assert [p.text for p in found] == [
        "Step controller: 1 person holds d.control; 2 are needed, because one may be away or excluded"
    ]


def at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text + "+00:00")


@pytest.mark.parametrize(
    ("start", "hours", "due"),
    [
        ("2026-11-20T16:00", 2, "2026-11-23T10:00"),  # Friday to Monday
        ("2026-11-21T12:00", 1, "2026-11-23T10:00"),  # from a Saturday
        ("2026-11-23T09:00", 8, "2026-11-23T17:00"),
        ("2026-11-23T03:00", 9, "2026-11-24T10:00"),
        ("2026-12-24T16:00", 2, "2026-12-28T10:00"),  # over Christmas Day, a Friday
    ],
)
def test_working_hours_count_and_nothing_else(start, hours, due):
    calendar = BusinessCalendar(holidays=frozenset({dt.date(2026, 12, 25)}))
    assert calendar.after(at(start), hours) == at(due)


def test_the_change_of_the_clocks_takes_no_working_hour_away():
    """Berlin, 25 October 2026: Friday 16:00 summer time plus two hours is Monday 10:00 winter time."""
    calendar = BusinessCalendar(zone="Europe/Berlin")
    assert calendar.after(at("2026-10-23T14:00"), 2) == at("2026-10-26T09:00")
