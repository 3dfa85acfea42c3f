"""Emergency access: two open it, a third reviews it, everything is tagged, no month closes over it."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.db import DatabaseError, transaction
from django.test import Client
from django.urls import reverse

from o2c import clock
from o2c.access import has_duty
from o2c.access.models import User
from o2c.actor import Actor, acting
from o2c.controls.approvals.models import Policy
from o2c.controls.approvals.services.rounds import calendar
from o2c.controls.breakglass import services
from o2c.controls.breakglass.models import Session, Use
from o2c.controls.breakglass.selectors import written
from o2c.errors import Conflict, InvalidInput, NotAuthorised
from o2c.ledger.models import AccountingPeriod
from o2c.ledger.services import open_periods
from o2c.periods import Period
from orders.services import customers
from tests.factories.access import excuse
from tests.factories.billing import person
from tests.factories.orders import make_customer, make_entity, orders_team

pytestmark = pytest.mark.django_db

DUTY = "orders.customer.maintain"
OTHER = "billing.receipt.record"


# Decisions about others' work, the control over the controls, what proves them, and reading.
NEVER = (
    "billing.run.release",
    "billing.credit.post",
    "billing.writeoff.post",
    "orders.order.activate",
    "orders.price.activate",
    "ledger.journal.post",
    "ledger.period.reopen",
    "revenue.close.review",
    "audit.chain.seal",
    "audit.chain.continue",
    "selftest.run.start",
    "access.user.maintain",
    "sod.exception.request",
    "breakglass.session.authorise",
    "ledger.bank.reveal",
    "console.list.export",
    "orders.read",
)


@pytest.fixture
def bea(db) -> Actor:
    """She drafts invoices; an exception lets her keep customers beside it."""
    found = person("bea", "billing_ops")
    excuse(User.objects.get(pk=found.user_id), "S04", "S05")
    return found


@pytest.fixture
def anton(db) -> Actor:
    return person("anton", "approver")


@pytest.fixture
def carla(db) -> Actor:
    return person("carla", "controller")


def asked(who: Actor, **changed) -> Session:
    values: dict[str, Any] = {
        "duties": [DUTY],
        "hours": 2,
        "ticket": "INC-7",
        "reason": "Mara is ill, invoices go out",
    }
    return services.request(**(values | changed), actor=who)


def test_what_it_lends_is_held_for_its_hours_and_every_use_is_tagged(bea, anton, carla):
    customer = make_customer(orders_team())
    session = asked(bea)
    assert not has_duty(bea, DUTY)
    services.authorise(session.pk, actor=anton, reason="Confirmed by phone")
    assert has_duty(bea, DUTY)

    customers.add_contact(customer.pk, name="Ann", email="ann@globex.example", actor=bea, reason="INC-7")
    use = Use.objects.get()
    assert (use.session_id, use.duty, use.record) == (session.pk, DUTY, str(customer))
    found = {one.what: one.made for one in written(Session.objects.get(pk=session.pk))}
    assert found["contact"] == 1

    services.end(session.pk, actor=bea, reason="Done")
    assert not has_duty(bea, DUTY)
    with pytest.raises(NotAuthorised):
        customers.add_contact(customer.pk, name="Bob", email="b@globex.example", actor=bea)
    done = services.review(session.pk, finding="justified", actor=carla, reason="One contact, as announced")
    assert (done.state, done.reviewed_by_id) == ("reviewed", carla.user_id)


def test_it_ends_by_itself(bea, anton, monkeypatch):
    session = services.authorise(asked(bea, hours=1).pk, actor=anton, reason="Yes")
    assert session.ends_at
    assert session.opened_at
    assert session.ends_at - session.opened_at == dt.timedelta(hours=1)
    later = session.ends_at + dt.timedelta(seconds=1)
    monkeypatch.setattr(clock, "now", lambda: later)
    assert not has_duty(bea, DUTY)


def test_the_review_is_due_after_five_working_days(bea, anton):
    session = services.authorise(asked(bea, hours=1).pk, actor=anton, reason="Yes")
    assert session.ends_at
    assert session.review_due_at
    due = calendar().after(session.ends_at, 5 * 8)
    assert abs(session.review_due_at - due) < dt.timedelta(minutes=1)


@pytest.mark.parametrize(
    ("changed", "held"),
    [
        ({"opened_at": dt.timedelta(days=30), "ends_at": dt.timedelta(days=30, hours=4)}, True),
        ({"opened_at": dt.timedelta(days=-3), "ends_at": dt.timedelta(hours=4)}, True),
        ({"review_due_at": dt.timedelta(days=11 * 365)}, False),
        ({"review_due_at": dt.timedelta(days=12)}, False),
        ({"review_due_at": dt.timedelta(minutes=30)}, False),
    ],
)
def test_its_times_are_the_databases_to_say(bea, anton, changed, held):
    """By hand it begins when it is opened, lasts as long as was asked, and is reviewed in time."""
    session, now = asked(bea, hours=1), clock.now()
    times = {
        "opened_at": dt.timedelta(),
        "ends_at": dt.timedelta(hours=1),
        "review_due_at": dt.timedelta(days=2),
    }
    values = {name: now + after for name, after in (times | changed).items()}
    values |= {"state": "open", "authorised_by_id": anton.user_id}
    if not held:
        with pytest.raises(DatabaseError, match="within five working days"):
            by_hand(session, anton, **values)
        return
    by_hand(session, anton, **values)
    session.refresh_from_db()
    assert session.opened_at
    assert session.ends_at
    assert abs(session.opened_at - now) < dt.timedelta(minutes=1)
    assert session.ends_at - session.opened_at == dt.timedelta(hours=1)


def test_what_would_break_a_rule_is_opened_under_an_exception_only(anton):
    """Ben drafts invoices; with the customers beside it he could invent one (S04)."""
    ben = person("ben", "billing_ops")
    session = asked(ben)
    with pytest.raises(
        NotAuthorised, match=r"S04: ben would hold both .* agree to an exception first .S04, S05"
    ):
        services.authorise(session.pk, actor=anton, reason="Yes")
    due = clock.now() + dt.timedelta(days=2)
    opened = {"state": "open", "opened_at": clock.now(), "ends_at": clock.now(), "review_due_at": due}
    with pytest.raises(NotAuthorised, match=r"S04: by emergency access \d+ ben would hold both"):
        by_hand(session, anton, authorised_by_id=anton.user_id, **opened)
    judge = Client()
    judge.force_login(User.objects.get(username="anton"), backend="o2c.access.backends.DutyBackend")
    page = judge.get(reverse("admin:breakglass_session_change", args=(session.pk,))).content.decode()
    assert "Rules that keep it from being opened without an exception" in page
    assert "S04" in page

    excuse(User.objects.get(username="ben"), "S04", "S05")
    assert services.lets_in(session) == []
    assert services.authorise(session.pk, actor=anton, reason="Yes").state == "open"


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"hours": 5}, "between one and four hours"),
        ({"duties": []}, "Not lent: nothing"),
        ({"duties": ["approvals.request.decide"]}, "Not lent: approvals.request.decide"),
        ({"duties": ["access.role.grant"]}, "Not lent: access.role.grant"),
        ({"duties": ["billing.credit.approve_large"]}, "Not lent"),
        *(({"duties": [duty]}, f"Not lent: {duty}") for duty in NEVER),
        ({"ticket": " "}, "under which ticket"),
        ({"reason": ""}, "says why"),
    ],
)
def test_what_is_not_asked_for(bea, changed, text):
    with pytest.raises(InvalidInput, match=text):
        asked(bea, **changed)


@pytest.mark.parametrize("duty", NEVER)
def test_the_table_lends_work_only(bea, duty):
    """By raw SQL too, beside a duty that may be lent."""
    with pytest.raises(DatabaseError, match=f"lends work: not {duty}"), acting(bea), transaction.atomic():
        Session.objects.create(user_id=bea.user_id, duties=[DUTY, duty], hours=1, reason="x", ticket="y")


def test_what_is_lent_is_a_half_that_somebody_else_decides(db):
    """Nothing that a shipped policy wants from an approver, and every other duty of work."""
    steps = {
        step["duty"]
        for content in Policy.objects.filter(state="active").values_list("content", flat=True)
        for step in content["steps"]
    }
    lent = set(services.lendable())
    assert lent & steps == set()
    assert {DUTY, OTHER, "orders.order.draft", "billing.run.calculate", "revenue.close.prepare"} <= lent


def test_what_waits_for_an_answer_is_not_asked_for_twice(bea, anton):
    first = asked(bea)
    with pytest.raises(Conflict, match=rf"{first.number} asks for {DUTY} already"):
        asked(bea)
    asked(bea, duties=[OTHER])
    services.refuse(first.pk, actor=anton, reason="Mara is back")
    assert asked(bea).state == "requested"


def test_while_it_is_open_nobody_is_offered_its_review(bea, anton, carla):
    session = asked(bea)
    services.authorise(session.pk, actor=anton, reason="Yes")
    client = Client()
    client.force_login(User.objects.get(username="carla"), backend="o2c.access.backends.DutyBackend")
    act = reverse("admin:breakglass_session_act", args=(session.pk, "review"))
    assert "It is still open, until" in client.get(act).content.decode()
    services.end(session.pk, actor=bea)
    assert "It is still open" not in client.get(act).content.decode()


def test_three_people(bea, anton, carla):
    session = asked(anton if has_duty(anton, "breakglass.session.request") else bea)
    with pytest.raises(NotAuthorised, match="does not hold the duty"):
        services.authorise(session.pk, actor=bea, reason="Me")
    services.authorise(session.pk, actor=anton, reason="Yes")
    with pytest.raises(Conflict, match="still open"):
        services.review(session.pk, finding="justified", actor=carla, reason="Early")
    services.end(session.pk, actor=bea)
    with pytest.raises(NotAuthorised, match="who opened it does not review it"):
        services.review(session.pk, finding="justified", actor=anton, reason="Fine")


def test_who_uses_it_does_not_open_it_even_with_every_role(carla):
    both = person("both", "billing_ops", "controller", "approver", excused=True)
    session = asked(both, duties=["orders.order.draft"])
    with pytest.raises(NotAuthorised, match="S51"):
        services.authorise(session.pk, actor=both, reason="Me")


def by_hand(session: Session, who: Actor, **values) -> None:
    with acting(who, reason="shortcut"), transaction.atomic():
        Session.objects.filter(pk=session.pk).update(**values)


def test_the_table_refuses_every_shortcut(bea, anton, carla, as_owner):
    session, now = asked(bea), clock.now()
    opened = {
        "state": "open", "opened_at": now, "ends_at": now + dt.timedelta(hours=2), "review_due_at": now,
    }  # fmt: skip
    for who, by in ((bea, bea), (bea, anton), (carla, anton)):
        with pytest.raises(DatabaseError):
            by_hand(session, who, authorised_by_id=by.user_id, **opened)
    with pytest.raises(DatabaseError):
        by_hand(
            session,
            anton,
            authorised_by_id=anton.user_id,
            **opened | {"ends_at": now + dt.timedelta(hours=5)},
        )
    services.authorise(session.pk, actor=anton, reason="Yes")
    for values in ({"ends_at": now + dt.timedelta(hours=4)}, {"duties": ["orders.order.activate"]}):
        with pytest.raises(DatabaseError):
            by_hand(session, anton, **values)
    said = {"finding": "justified", "review_note": "ok", "reviewed_at": now, "state": "reviewed"}
    for who in (bea, anton, carla):  # carla may, once it has ended
        with pytest.raises(DatabaseError):
            by_hand(session, who, reviewed_by_id=who.user_id, **said)
    with pytest.raises(DatabaseError), as_owner():
        by_hand(session, bea, reviewed_by_id=bea.user_id, **said)
    with pytest.raises(DatabaseError), acting(anton, reason="for her"), transaction.atomic():
        Session.objects.create(user_id=bea.user_id, duties=[DUTY], hours=1, reason="x", ticket="y")


def test_no_month_closes_before_the_review(bea, anton, carla):
    us = make_entity()
    [month] = open_periods(us, Period(dt.date(2026, 8, 1), dt.date(2026, 9, 1)), actor=carla)
    session = services.authorise(asked(bea).pk, actor=anton, reason="Yes")
    with pytest.raises(Conflict, match="is not reviewed"):
        services.require_none_open("Close of US 2026-08")
    with acting(carla, reason="close"):
        AccountingPeriod.objects.filter(pk=month.pk).update(state="closing")
    with pytest.raises(DatabaseError, match="waits for its review"), acting(carla, reason="close"):
        AccountingPeriod.objects.filter(pk=month.pk).update(state="closed")

    services.end(session.pk, actor=bea)
    services.review(session.pk, finding="not_justified", actor=carla, reason="It could have waited")
    services.require_none_open("Close of US 2026-08")
    with pytest.raises(DatabaseError, match="two people signed"), acting(carla, reason="close"):
        AccountingPeriod.objects.filter(pk=month.pk).update(state="closed")  # now only the close is missing


def test_the_pages(bea, anton):
    client = Client()
    client.force_login(User.objects.get(username="bea"), backend="o2c.access.backends.DutyBackend")
    address = reverse("admin:breakglass_session_list_act", args=("request",))
    assert "Only what is needed" in client.get(address).content.decode()
    client.post(
        address, {"ticket": "INC-7", "hours": "1", "duties": [DUTY], "reason": "Mara is ill, invoices go out"}
    )
    session = Session.objects.get()
    judge = Client()
    judge.force_login(User.objects.get(username="anton"), backend="o2c.access.backends.DutyBackend")
    queue = judge.get(reverse("admin:queue", args=("breakglass.asked",))).content.decode()
    assert "INC-7" in queue
    act = reverse("admin:breakglass_session_act", args=(session.pk, "authorise"))
    judge.post(act, {"reason": "Confirmed"})
    session.refresh_from_db()
    assert session.state == "open"
    page = judge.get(reverse("admin:breakglass_session_change", args=(session.pk,))).content.decode()
    assert "No period is closed before this is reviewed." in page
    assert "Create and change customers" in page
