"""Orders, cancellations, prices, customers, credit, stand-alone prices, periods, exceptions, grants,
journals.

Each once: the service refuses, a shell refuses (as a superuser too), the owner of the tables refuses, and the
request does it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, models

from billing.models import Grant
from billing.services import grants as credit_grants
from o2c import clock
from o2c.access.models import Role, RoleGrant, User
from o2c.access.services import grants
from o2c.actor import Actor, acting
from o2c.controls import approvals
from o2c.controls.approvals.models import Request
from o2c.controls.sod.models import SodException
from o2c.controls.sod.services import exceptions
from o2c.errors import Conflict, InvalidInput, NotAuthorised
from o2c.ledger import manual
from o2c.ledger.models import Journal, JournalLine, LegalEntity, ManualJournal
from orders.models import Amendment, Customer, Order, Price, Sku
from orders.services import amendments, catalogue, credit, customers, orders, quotes
from orders.services.inputs import PriceInput, QuoteInput, TermsInput
from revenue.models import SspEntry
from revenue.services import ssp
from tests.database import immediately
from tests.factories.access import make_user
from tests.factories.billing import Team, person
from tests.factories.orders import line, make_catalogue, make_customer, make_order, orders_team

pytestmark = pytest.mark.django_db

D = Decimal
SPRING = dt.date(2026, 3, 1)


@dataclass
class Case:
    """An act that needs approval: how to do it directly, by hand, and in whose name it is asked for."""

    code: str
    subject: int
    asker: Actor
    direct: Callable[[], Any]
    by_hand: Callable[[Actor], Any]
    parameters: dict[str, Any] = field(default_factory=dict)
    steps: tuple[str, ...] = ("approver",)


def update(model: type[models.Model], pk: int, **values: Any) -> Callable[[Actor], Any]:
    return lambda who: model._default_manager.filter(pk=pk).update(**values)


def seller() -> Actor:
    """Holds all of orders and may ask for approvals."""
    return orders_team("seller", "approvals.request.submit")


def an_order(team: Team, lines: Any = None, **values: Any) -> Order:
    customer = make_customer(team.orders)
    return make_order(
        team.orders, customer, lines or [line("SEATS", 10)], state=values.pop("state", "signed"), **values
    )


def backdated(team: Team) -> Case:
    order = an_order(team, state="draft", starts_on=SPRING, ends_on=dt.date(2027, 3, 1))
    orders.sign(order.pk, actor=team.orders, signed_on=dt.date(2026, 4, 20))
    return _activation(order)


def activated_by_hand(order: Order) -> Callable[[Actor], None]:
    """As the gate would: with what it saw of the customer's credit, so that only approval is lacking."""

    def by_hand(who: Actor) -> None:
        asked = credit.waiting(Order.objects.get(pk=order.pk))
        assert asked is not None
        credit.record([order], {order.pk: asked})
        Order.objects.filter(pk=order.pk).update(state="active", activated_on=SPRING)

    return by_hand


def _activation(order: Order, *steps: str) -> Case:
    return Case(
        "orders.order.activate",
        order.pk,
        seller(),
        lambda: orders.activate(order.pk, actor=seller()),
        activated_by_hand(order),
        steps=steps or ("approver",),
    )


def side_letter(team: Team) -> Case:
    return _activation(
        an_order(team, terms={"side_letter": "Right to swap seats, mail of 3 May"}), "approver", "controller"
    )


def given_away(team: Team) -> Case:
    lines = [line("SEATS", 10), line("ONBOARDING", 1, discount_percent=D(100))]
    return _activation(an_order(team, lines), "approver", "controller")


def cancellation(team: Team) -> Case:
    order = an_order(team, [line("SEATS", 500)], state="active")
    drafted = amendments.draft(
        order.pk, kind="cancel", effective_on=dt.date(2027, 1, 1), changes={"mode": "now"},
        as_of=dt.date(2026, 12, 1), actor=team.orders, reason="Insolvent",
    )  # fmt: skip
    return Case(
        "orders.amendment.cancel",
        drafted.pk,
        seller(),
        lambda: amendments.apply(drafted.pk, actor=seller()),
        lambda who: Amendment.objects.filter(pk=drafted.pk).update(
            state="applied", applied_by_id=who.user_id, applied_on=SPRING
        ),
    )


def cheaper(team: Team) -> Case:
    make_catalogue(team.orders)
    price = catalogue.draft_price(
        PriceInput("SEATS", "USD", {"model": "per_unit", "unit_amount": "35.00"}, dt.date(2026, 10, 1)),
        actor=team.orders,
    )
    asker = person("penny", "controller")
    before = Price.objects.get(sku=price.sku_id, currency="USD", state="active")

    def by_hand(who: Actor) -> None:
        Price.objects.filter(pk=before.pk).update(effective_to=price.effective_from)
        Price.objects.filter(pk=price.pk).update(state="active")

    return Case(
        "orders.price.activate",
        price.pk,
        asker,
        lambda: catalogue.activate_price(price.pk, actor=asker),
        by_hand,
    )


def late_payer(team: Team) -> Case:
    customer, mara = make_customer(team.orders), person("mara", "master_data")
    return Case(
        "orders.customer.change_terms",
        customer.pk,
        mara,
        lambda: customers.change_terms(customer.pk, payment_terms_days=75, tax_exempt=False, actor=mara),
        update(Customer, customer.pk, payment_terms_days=75),
        {"payment_terms_days": "75", "tax_exempt": "false"},
    )


def tax_free(team: Team) -> Case:
    case = late_payer(team)
    case.by_hand = update(Customer, case.subject, tax_exempt=True)
    case.parameters = {"payment_terms_days": "30", "tax_exempt": "true"}
    return case


def promotion(team: Team) -> Case:
    customer = make_customer(team.orders)
    values: dict[str, Any] = {"amount": D("5000.00"), "starts_on": SPRING}

    def by_hand(who: Actor) -> None:
        us = LegalEntity.objects.get(code="US")
        Grant.objects.create(
            customer=customer, entity=us, currency="USD", origin="promotional", granted=D(5000),
            starts_on=SPRING, opened_by_id=who.user_id, reason="A friend",
        )  # fmt: skip

    return Case(
        "billing.grant.promote",
        customer.pk,
        team.ops,
        lambda: credit_grants.promote(
            customer_id=customer.pk, actor=team.approver, reason="Outage", **values
        ),
        by_hand,
        values,
    )


def moving_ssp(team: Team) -> Case:
    make_catalogue(team.orders)
    policy, controller = person("rita", "revenue_policy"), person("carol", "controller")

    def propose(amount: str, since: str) -> SspEntry:
        return ssp.propose(
            sku_id=Sku.objects.get(code="SEATS").pk, currency="USD", unit_amount=D(amount), per="month",
            effective_from=dt.date.fromisoformat(since), evidence="Study", actor=policy,
        )  # fmt: skip

    before = ssp.approve(propose("40.00", "2026-01-01").pk, actor=controller)
    entry = propose("30.00", "2026-07-01")

    def by_hand(who: Actor) -> None:
        SspEntry.objects.filter(pk=before.pk).update(effective_to=entry.effective_from)
        SspEntry.objects.filter(pk=entry.pk).update(approved_by_id=who.user_id)

    return Case(
        "revenue.ssp.approve",
        entry.pk,
        policy,
        lambda: ssp.approve(entry.pk, actor=controller),
        by_hand,
        steps=("approver", "controller"),
    )


def long_exception(team: Team) -> Case:
    ada = person("ada", "admin")
    row = exceptions.request(
        make_user("bert"), "S01", mitigation="Read daily", days=90, actor=ada, reason="On leave"
    )
    return Case(
        "sod.exception.approve",
        row.pk,
        ada,
        lambda: exceptions.approve(row.pk, actor=team.controller, reason="Fine"),
        lambda who: SodException.objects.filter(pk=row.pk).update(
            state="approved", decided_by_id=who.user_id, decided_at=clock.now()
        ),
        steps=("reviewer", "controller"),
    )


def governing_role(team: Team) -> Case:
    ada, new = person("ada", "admin"), make_user("newcomer")
    person("carol", "controller")  # one more who could agree

    def by_hand(who: Actor) -> None:
        role = Role.objects.get(code="admin")
        RoleGrant.objects.create(user=new, role=role, granted_by_id=who.user_id, valid_from=clock.now())

    return Case(
        "access.role.grant",
        new.pk,
        ada,
        lambda: grants.grant(new, "admin", actor=ada, reason="Helps out"),
        by_hand,
        {"role": "admin"},
        steps=("controller",),
    )


def entry(team: Team, amount: str = "1200.00") -> ManualJournal:
    us = LegalEntity.objects.get(code="US")
    return manual.draft(
        entity_id=us.pk, currency="USD", posting_date=dt.date(2026, 9, 30), memo="Allowance, September",
        support="Ageing of 30 September, DOC-17",
        lines=[("6100", D(amount), D(0), ""), ("1190", D(0), D(amount), "")],
        actor=person("rosa", "revenue_accounting"),
    )  # fmt: skip


def manual_journal(team: Team) -> Case:
    row = entry(team)
    return Case(
        "ledger.journal.post",
        row.pk,
        person("rosa", "revenue_accounting"),
        lambda: manual.post(row.pk, actor=team.approver),
        lambda who: ManualJournal.objects.filter(pk=row.pk).update(state="posted", posted_by_id=who.user_id),
    )


CASES = (
    backdated, side_letter, given_away, cancellation, cheaper, late_payer, tax_free, promotion, moving_ssp,
    long_exception, governing_role, manual_journal,
)  # fmt: skip
STEPS = {"approver": "approver", "reviewer": "approver", "controller": "controller"}


@pytest.fixture(params=CASES, ids=lambda make: make.__name__)
def case(request, team) -> Case:
    return request.param(team)


def test_the_service_asks_for_approval(case):
    with pytest.raises(Conflict) as refused:
        case.direct()
    assert refused.value.code == "approval_required"


@pytest.mark.parametrize("door", ["shell", "superuser", "owner"])
def test_by_hand_it_is_refused(case, team, door, as_owner):
    who = team.controller
    if door == "superuser":
        who = Actor.of(make_user("eve", "controller", "approver", superuser=True, excused=True))
    with (
        pytest.raises(DatabaseError, match=r"needs 1 approval|gives no role"),
        acting(who, reason="shortcut"),
    ):
        if door == "owner":
            with as_owner():
                case.by_hand(who)
                immediately()
        else:
            case.by_hand(who)
            immediately()


def test_its_request_does_it(case, team):
    request = approvals.submit(
        case.code, case.subject, actor=case.asker, reason="Needed", parameters=case.parameters
    )
    assert [step.code for step in request.steps.order_by("position")] == list(case.steps)
    with pytest.raises(NotAuthorised):
        approvals.approve(request.pk, actor=case.asker, reason="My own")
    for step in case.steps:
        approvals.approve(request.pk, actor=getattr(team, STEPS[step]), reason="Seen")
    done = Request.objects.get(pk=request.pk)
    assert (done.state, done.problem) == ("committed", "")
    immediately()


def test_an_order_gives_what_its_quote_gave_and_is_asked_about_nothing_more(team):
    """45 percent and a side letter were decided with the quote; 50 percent on the order were not."""
    make_catalogue(team.orders)
    data = QuoteInput(
        customer=make_customer(team.orders).pk,
        valid_until=dt.date(2030, 1, 1),
        starts_on=dt.date(2026, 9, 1),
        term_months=12,
        lines=(line("SEATS", 10, discount_percent=D(45), override_reason="strategic"),),
        terms=TermsInput(side_letter="Right to swap seats"),
    )
    dana = person("dana", "deal_desk")
    quote = quotes.submit(quotes.create_draft(data, actor=dana).pk, actor=dana)
    request = quotes.ask(quote.pk, actor=dana, reason="Lighthouse")
    for who in (team.approver, team.controller):
        approvals.approve(request.pk, actor=who, reason="Seen")
    order = quotes.accept(quote.pk, actor=dana, accepted_on=dt.date(2026, 8, 20))
    assert order.side_letter == "Right to swap seats"

    orders.sign(order.pk, actor=team.orders, signed_on=dt.date(2026, 8, 20))
    assert orders.activate(order.pk, actor=seller()).state == "active"
    immediately()


def test_a_price_may_fall_by_ten_percent(team):
    make_catalogue(team.orders)
    spec = {"model": "per_unit", "unit_amount": "36.00"}
    price = catalogue.draft_price(PriceInput("SEATS", "USD", spec, dt.date(2026, 10, 1)), actor=team.orders)
    assert catalogue.activate_price(price.pk, actor=team.orders).state == "active"
    immediately()


def test_a_manual_journal_is_booked_line_for_line_and_once(team):
    row = entry(team, "250000.00")
    request = manual.ask(row.pk, actor=person("rosa", "revenue_accounting"), reason="Month end")
    assert request.effects["journals"] == [
        {"account": "1190", "name": "Allowance for credit losses", "entity": "US", "currency": "USD",
         "debit": "0.000", "credit": "250000.000"},
        {"account": "6100", "name": "Credit loss expense", "entity": "US", "currency": "USD",
         "debit": "250000.000", "credit": "0.000"},
    ]  # fmt: skip
    approvals.approve(request.pk, actor=team.approver, reason="Support read")
    approvals.approve(request.pk, actor=person("carol", "controller"), reason="Agreed")
    immediately()

    booked = Journal.objects.get(rule=manual.RULE)
    assert (str(booked.posting_date), booked.period.name, booked.memo) == (
        "2026-09-30", "2026-09", "Allowance, September",
    )  # fmt: skip
    lines = JournalLine.objects.filter(journal=booked)
    assert set(lines.values_list("account__code", "debit", "credit")) == {
        ("6100", D("250000.000"), D(0)),
        ("1190", D(0), D("250000.000")),
    }


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        ([("6100", "10.00", "0"), ("1100", "0", "10.00")], "1100 is kept by a sub-ledger"),
        ([("6100", "10.00", "0"), ("1190", "0", "9.99")], "debits 10.00 and credits 9.99"),
        ([("6100", "10.001", "0"), ("1190", "0", "10.001")], "more digits than USD"),
        ([("9999", "10.00", "0"), ("1190", "0", "10.00")], "9999 is kept by a sub-ledger or is unknown"),
    ],
)
def test_a_manual_journal_touches_no_sub_ledger_and_balances(team, lines, text):
    with pytest.raises(InvalidInput, match=text):
        manual.draft(
            entity_id=LegalEntity.objects.get(code="US").pk, currency="USD", posting_date=SPRING, memo="x",
            support="y", lines=[(code, D(debit), D(credit), "") for code, debit, credit in lines],
            actor=person("rosa", "revenue_accounting"),
        )  # fmt: skip


def test_the_books_take_no_entry_by_hand_that_no_manual_journal_says(team):
    us = LegalEntity.objects.get(code="US")
    accounts = {"6100": D(10), "1190": D(-10)}
    from o2c.ledger import Entry, Line, post

    lines = [Line(code, max(a, D(0)), max(-a, D(0))) for code, a in accounts.items()]
    none, nothing = "not what a posted manual journal says", "Nothing in the product is posted by"
    for rule, key, refusal in (
        ("manual.posted", "ledger.manualjournal:999", none),
        ("manual.posted", "x:1", nothing),
        ("other", "ledger.manualjournal:999", nothing),
    ):
        with pytest.raises(DatabaseError, match=refusal):
            with acting(team.controller, reason="cheat"):
                post([Entry(us.pk, "USD", SPRING, SPRING, key, rule, key, lines)])
                immediately()


def test_the_first_controller_needs_nobody(db):
    ada = Actor.of(make_user("ada", "admin"))
    assert grants.grant(make_user("carla"), "controller", actor=ada, reason="First").pk
    immediately()
    assert User.objects.get(username="carla").grants.count() == 1


def test_an_amount_beyond_the_books_is_said_in_words():
    from django.forms import ValidationError

    from o2c.console.admin.manual import LinesField

    with pytest.raises(ValidationError, match="at most 15 digits"):
        LinesField().clean("6100 debit 1000000000000000.00\n1190 credit 1000000000000000.00")
    assert len(LinesField().clean("6100 debit 999999999999999.00\n1190 credit 999999999999999.00")) == 2
