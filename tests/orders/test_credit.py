"""Credit of customers: limits, holds, releases; what counts, who decides, and what the database refuses."""

from __future__ import annotations

import datetime as dt
import threading
from decimal import Decimal

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from billing.services import applications
from o2c import clock
from o2c.access.models import Role, RoleGrant, User
from o2c.access.services.accounts import PLACEHOLDER_OWNER
from o2c.actor import Actor, acting
from o2c.controls import approvals
from o2c.errors import Conflict, DomainError, InvalidInput, NotAuthorised
from orders.domain.credit import Asked, Release, Standing, problem
from orders.models import CreditCheck, CreditLimit, CreditRelease, Customer, Order
from orders.selectors import work
from orders.selectors.credit import standing_of
from orders.services import amendments, credit, orders
from orders.services.inputs import PriceInput
from tests.database import immediately
from tests.factories.access import make_user
from tests.factories.billing import billing_team, books, person, post_invoice, receive
from tests.factories.orders import line, make_catalogue, make_customer, make_order, make_prices, orders_team

pytestmark = pytest.mark.django_db

D = Decimal
SEATS = line("SEATS", "10")  # 40.00 a month each: 4,800 over the twelve months of the factory's orders
VALUE = D("4800")


@pytest.fixture
def team(db) -> Actor:
    return orders_team()


@pytest.fixture
def analyst(db) -> Actor:
    return person("cora", "credit")


@pytest.fixture
def customer(team: Actor) -> Customer:
    return make_customer(team)


def limit(customer: Customer, amount: str | None, actor: Actor, **values) -> CreditLimit:
    review_on = clock.today() + dt.timedelta(days=200) if amount is not None else None
    value = D(amount) if amount is not None else None
    return credit.change(
        customer.pk, amount=value, review_on=review_on, actor=actor, reason="Accounts seen", **values
    )


def standard(amount: str, as_owner, actor: Actor) -> None:
    """Another standard for dollars, by the owner of the tables."""
    with as_owner(), acting(actor), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO orders_creditlimit (currency, amount, held, reason, shipped)"
            " VALUES ('USD', %s, false, 'Standard', true)",
            [amount],
        )


def signed(team: Actor, customer: Customer, *lines) -> Order:
    return make_order(team, customer, lines or [SEATS], state="signed")


def activate(order: Order, team: Actor) -> Order:
    return orders.activate(order.pk, actor=team, as_of=order.starts_on)


def standing(**values) -> Standing:
    defaults = {
        "customer": "C-1 Globex", "currency": "USD", "decision": 7, "limit": D(100), "held": False,
        "receivable": D(40), "unbilled": D(30),
    }  # fmt: skip
    return Standing(**{**defaults, **values})


def code_of(asked: Asked) -> str:
    found = problem(asked)
    return found[0] if found else ""


class TestTheRule:
    def test_up_to_the_limit_fits_and_a_cent_more_does_not(self):
        assert problem(Asked(standing(), D(30), D(30))) is None
        found = problem(Asked(standing(), D("30.01"), D("30.01")))
        assert found is not None
        assert found[0] == "credit_limit"
        assert "0.01 too much" in found[1]

    def test_no_limit_is_never_exceeded_and_a_hold_holds_all_the_same(self):
        assert problem(Asked(standing(limit=None), D(10**9), D(10**9))) is None
        assert code_of(Asked(standing(limit=None, held=True), D(0), D(0))) == "credit_hold"

    def test_a_release_covers_its_exposure_under_its_decision(self):
        asked = Asked(standing(), D(50), D(50), Release(1, 7, D(120)))
        assert problem(asked) is None
        assert code_of(Asked(standing(), D(51), D(51), Release(1, 7, D(120)))) == "credit_limit"
        assert problem(Asked(standing(decision=8), D(50), D(50), Release(1, 7, D(120)))) is not None


class TestTheGate:
    def test_exactly_the_limit_passes_and_the_next_order_waits(self, team, analyst, customer):
        limit(customer, "4800", analyst)
        activate(signed(team, customer), team)
        second = signed(team, customer, line("ONBOARDING"))
        with pytest.raises(Conflict, match=r"credit limit of 4,800\.00 .*adds 2,500\.00") as refused:
            activate(second, team)
        assert refused.value.code == "activation_blocked"
        assert standing_of(customer).unbilled == VALUE

    def test_two_in_one_batch_count_together(self, team, analyst, customer):
        limit(customer, "5000", analyst)
        pair = [signed(team, customer), signed(team, customer)]
        with pytest.raises(Conflict, match="credit limit"):
            orders.activate_many([order.pk for order in pair], actor=team, as_of=pair[0].starts_on)
        activate(pair[0], team)

    def test_what_is_billed_moves_to_the_receivable_and_payment_makes_room(self, analyst):
        billing = billing_team()
        books(billing)
        customer = make_customer(billing.orders)
        limit(customer, "5000", analyst)
        invoice = post_invoice(billing, customer, "3000.00")  # with sales tax of 8.25 %
        assert standing_of(customer).receivable == invoice.total > D(3000)
        order = signed(billing.orders, customer)
        with pytest.raises(Conflict, match="is open"):
            activate(order, billing.orders)
        receipt = receive(billing, customer, str(invoice.total))
        parts = [(invoice.pk, invoice.total)]
        applications.apply(receipt.pk, parts, applied_on=receipt.received_on, actor=billing.cash)
        assert standing_of(customer).receivable == 0
        activate(order, billing.orders)

    def test_a_customer_about_whom_nobody_decided_has_the_standard(self, team, customer, as_owner):
        standard("4799", as_owner, team)
        with pytest.raises(Conflict, match="credit limit of 4,799"):
            activate(signed(team, customer), team)

    def test_what_a_marketplace_collects_is_not_the_customers_credit(self, team, analyst, customer):
        limit(customer, "0", analyst)
        order = make_order(team, customer, [SEATS], state="signed", terms={"channel": "aws"})
        activate(order, team)
        assert standing_of(customer).exposure == 0

    def test_an_amendment_that_adds_waits_and_one_that_takes_away_does_not(self, team, analyst, customer):
        limit(customer, "5000", analyst)
        order = activate(signed(team, customer), team)
        more, less = (
            amendments.draft(
                order.pk, kind="quantity", effective_on=order.starts_on, as_of=order.starts_on,
                changes={"lines": [{"line": order.lines.get().pk, "quantity": quantity}]}, actor=team,
            )
            for quantity in ("20", "5")
        )  # fmt: skip
        with pytest.raises(Conflict, match="credit limit") as refused:
            amendments.apply(more.pk, actor=team, as_of=order.starts_on)
        assert refused.value.code == "credit_hold"
        credit.release(order.pk, actor=analyst, reason="Parent guarantees")
        amendments.apply(more.pk, actor=team, as_of=order.starts_on)
        assert standing_of(customer).unbilled == 2 * VALUE
        amendments.reject(less.pk, actor=team)

    def test_limits_in_yen_are_whole(self, team, analyst):
        customer = make_customer(team, currency="JPY", country="JP", region="", tax_id="")
        with pytest.raises(InvalidInput, match="no amount of JPY"):
            limit(customer, "1000.5", analyst)
        make_catalogue(team)
        price = {"model": "per_unit", "unit_amount": "5000"}
        make_prices(team, [PriceInput("SEATS", "JPY", price, dt.date(2026, 1, 1))])
        limit(customer, "600000", analyst)
        activate(signed(team, customer), team)  # 10 seats for 5,000 a month over twelve months
        assert standing_of(customer).headroom == 0


class TestHolds:
    def test_a_hold_needs_nobody_and_its_end_needs_an_approver(self, team, analyst, customer):
        limit(customer, "50000", analyst)
        order = signed(team, customer)
        credit.hold(customer.pk, actor=analyst, reason="Overdue")
        with pytest.raises(Conflict, match="on credit hold"):
            activate(order, team)
        with pytest.raises(Conflict) as refused:
            limit(customer, "50000", analyst)
        assert refused.value.code == "approval_required"
        approver = person("abe", "approver")
        asked = credit.ask_change(
            customer.pk, amount=D(50000), review_on=clock.today() + dt.timedelta(days=90), actor=analyst,
            reason="Paid",
        )  # fmt: skip
        approvals.approve(asked.pk, actor=approver, reason="Seen")
        activate(order, team)

    def test_an_overdue_review_keeps_nobody_from_holding(self, analyst, customer, monkeypatch):
        made = credit.change(
            customer.pk,
            amount=D(1000),
            review_on=clock.today() + dt.timedelta(days=1),
            actor=analyst,
            reason="-",
        )
        assert customer not in work.credit_to_review(clock.today())
        assert made.review_on
        due = made.review_on + dt.timedelta(days=5)
        assert list(work.credit_to_review(due)) == [customer]
        monkeypatch.setattr(clock, "today", lambda tz="UTC": due)
        held = credit.hold(customer.pk, actor=analyst, reason="Overdue")
        assert (held.amount, held.review_on) == (1000, due + dt.timedelta(days=1))

    def test_a_release_ends_with_the_decision_that_it_was_given_under(self, team, analyst, customer):
        limit(customer, "1000", analyst)
        order = signed(team, customer)
        credit.release(order.pk, actor=analyst, reason="Prepaid")
        limit(customer, "900", analyst)
        with pytest.raises(Conflict, match="credit limit"):
            activate(order, team)
        credit.release(order.pk, actor=analyst, reason="Prepaid")
        activate(order, team)
        check = CreditCheck.objects.get(order=order)
        assert (check.value, check.added, check.exposure) == (VALUE, VALUE, 0)
        assert check.release == CreditRelease.objects.filter(order=order).first()

    def test_nothing_to_release(self, team, analyst, customer):
        with pytest.raises(Conflict, match="does not hold"):
            credit.release(signed(team, customer).pk, actor=analyst, reason="-")

    def test_far_over_takes_an_approver(self, team, analyst, customer):
        limit(customer, "0", analyst)
        order = signed(team, customer, line("SEATS", "60"))  # 28,800
        with pytest.raises(Conflict) as refused:
            credit.release(order.pk, actor=analyst, reason="Parent guarantees")
        assert refused.value.code == "approval_required"
        approver = person("abe", "approver")
        asked = credit.ask_release(order.pk, actor=analyst, reason="Parent guarantees")
        approvals.approve(asked.pk, actor=approver, reason="Guarantee seen")
        activate(order, team)


class TestWhoDecides:
    def test_small_raises_add_up(self, analyst, customer):
        limit(customer, "10000", analyst)
        limit(customer, "60000", analyst)
        with pytest.raises(Conflict) as refused:  # 60,000 at once, but 110,000 within the quarter
            limit(customer, "120000", analyst)
        assert refused.value.code == "approval_required"
        limit(customer, "110000", analyst)
        limit(customer, "20000", analyst)

    def test_switching_the_check_off_takes_the_controller(self, analyst, customer):
        approver, controller = person("abe", "approver"), person("connie", "controller")
        with pytest.raises(Conflict) as refused:
            limit(customer, None, analyst)
        assert refused.value.code == "approval_required"
        asked = credit.ask_change(customer.pk, amount=None, actor=analyst, reason="Group company")
        assert [step.code for step in asked.steps.all()] == ["controller"]
        with pytest.raises(NotAuthorised):
            approvals.approve(asked.pk, actor=approver, reason="Seen")
        approvals.approve(asked.pk, actor=controller, reason="Seen")
        assert standing_of(customer).limit is None

    def test_neither_who_keeps_customers_nor_who_enters_orders_holds_the_duty(self, team, customer):
        for role in ("master_data", "order_entry", "order_management", "approver", "controller"):
            with pytest.raises(NotAuthorised):
                limit(customer, "1", person(f"a-{role}", role))

    def test_who_entered_the_order_does_not_release_it(self, team, analyst, customer):
        """S14 asks the rows, not the roles of today: order entry yesterday, credit today."""
        limit(customer, "0", analyst)
        make_catalogue(team)
        user = make_user("olga", "order_entry")
        mine = make_order(Actor.of(user), customer, [SEATS], state="signed")
        other = signed(team, customer)
        credit_role = Role.objects.get(code="credit")
        placeholder = User.objects.get(username=PLACEHOLDER_OWNER)
        with acting(Actor.installer(), reason="test set-up"):
            RoleGrant.objects.filter(user=user).update(valid_to=clock.now())
            RoleGrant.objects.create(
                user=user,
                role=credit_role,
                granted_by=placeholder,
                valid_from=clock.now(),
            )
        with pytest.raises(NotAuthorised, match="S14"):
            credit.release(mine.pk, actor=Actor.of(user), reason="It is fine")
        credit.release(other.pk, actor=Actor.of(user), reason="It is fine")

    def test_reason_amount_and_review_are_asked_for(self, analyst, customer):
        with pytest.raises(InvalidInput) as refused:
            credit.change(customer.pk, amount=D(-1), review_on=clock.today(), actor=analyst)
        assert set(refused.value.fields) == {"reason", "amount", "review_on"}


def by_hand(sql: str, parameters: list, actor: Actor) -> None:
    with transaction.atomic(), acting(actor, reason="By hand"), connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        immediately()


ACTIVE = "UPDATE orders_order SET state = 'active', activated_on = starts_on WHERE id = %s"
CHECKED = "INSERT INTO orders_creditcheck (order_id, value, exposure, added) VALUES (%s, 4800, 0, 4800)"


class TestTheDatabase:
    def test_no_order_becomes_active_over_the_limit(self, team, analyst, customer, as_owner):
        limit(customer, "4799.99", analyst)
        order = signed(team, customer)
        chief = Actor.of(make_user("chief", superuser=True))
        other = orders_team("other-team")
        for actor in (chief, other):
            with pytest.raises(DatabaseError, match="credit was not checked"):
                by_hand(ACTIVE, [order.pk], actor)
            with pytest.raises(DatabaseError, match="on credit hold"):
                by_hand(f"{CHECKED}; {ACTIVE}", [order.pk, order.pk], actor)
            with pytest.raises(DatabaseError, match="on credit hold"), transaction.atomic(), acting(actor):
                CreditCheck.objects.create(order=order, value=VALUE, exposure=0, added=VALUE)
                Order.objects.filter(pk=order.pk).update(state="active", activated_on=order.starts_on)
        with as_owner(), pytest.raises(DatabaseError, match="on credit hold"):
            by_hand(f"{CHECKED}; {ACTIVE}", [order.pk, order.pk], chief)

    def test_the_value_checked_is_the_value_signed(self, team, customer):
        order = make_order(team, customer, [SEATS], state="signed", signed_total=VALUE)
        with pytest.raises(DatabaseError, match="another value than was signed"):
            by_hand(
                f"{CHECKED.replace('4800', '1')}; {ACTIVE}", [order.pk, order.pk], orders_team("other-team")
            )

    def test_limits_and_releases_by_hand_need_their_approvals(self, team, analyst, customer):
        limit(customer, "1000", analyst)
        order = signed(team, customer, line("SEATS", "60"))
        raised = (
            "INSERT INTO orders_creditlimit (customer_id, currency, amount, held, reason, shipped)"
            " VALUES (%s, '', {}, false, '-', {})"
        )
        for amount in ("900000", "NULL"):
            with pytest.raises(DatabaseError, match="needs 1 approval"):
                by_hand(raised.format(amount, "false"), [customer.pk], analyst)
        with pytest.raises(DatabaseError, match="decided by people"):
            by_hand(raised.format("900000", "true"), [customer.pk], analyst)
        with pytest.raises(IntegrityError, match="orders_creditlimit_of_one"):
            by_hand(raised.format("900000", "false"), [None], analyst)
        with pytest.raises(DatabaseError, match="needs 1 approval"):
            by_hand(
                "INSERT INTO orders_creditrelease (order_id, decision_id, exposure, covers, reason)"
                " SELECT %s, max(id), 0, 28800, '-' FROM orders_creditlimit",
                [order.pk],
                analyst,
            )

    def test_a_claim_smaller_than_the_truth_covers_less(self, team, analyst, customer):
        """A release by hand below what its policy asks about does not carry the order."""
        limit(customer, "1000", analyst)
        order = signed(team, customer)
        by_hand(
            "INSERT INTO orders_creditrelease (order_id, decision_id, exposure, covers, reason)"
            " SELECT %s, max(id), 0, 1100, '-' FROM orders_creditlimit",
            [order.pk],
            analyst,
        )
        with pytest.raises(Conflict, match="credit limit"):
            activate(order, team)

    def test_what_was_decided_stays(self, analyst, customer):
        made = limit(customer, "1000", analyst)
        for sql in ("UPDATE orders_creditlimit SET amount = 1 WHERE id = %s",
                    "DELETE FROM orders_creditlimit WHERE id = %s"):  # fmt: skip
            with pytest.raises(DatabaseError):
                by_hand(sql, [made.pk], analyst)

    def test_a_row_is_a_customers_or_a_standard(self, analyst, customer):
        with pytest.raises(IntegrityError, match="orders_creditlimit_of_one"):
            by_hand(
                "INSERT INTO orders_creditlimit (customer_id, currency, amount, held, reason, shipped)"
                " VALUES (%s, 'USD', 1, false, '-', false)",
                [customer.pk],
                analyst,
            )


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("decided", [True, False])
def test_two_orders_at_once_do_not_both_take_the_last_of_the_limit(transactional_db, as_owner, decided):
    """Also for a customer about whom nobody decided, who has the standard."""
    team, analyst = orders_team(), person("cora", "credit")
    customer = make_customer(team)
    if decided:
        limit(customer, "5000", analyst)
    else:
        standard("5000", as_owner, team)
    pair = [signed(team, customer), signed(team, customer)]
    barrier, errors = threading.Barrier(2), []

    def go(order: Order) -> None:
        try:
            barrier.wait(20)
            activate(order, team)
        except DomainError as error:
            errors.append(error)
        finally:
            connection.close()

    sides = [threading.Thread(target=go, args=[order]) for order in pair]
    for side in sides:
        side.start()
    for side in sides:
        side.join(60)
    assert len(errors) == 1
    assert "credit limit" in str(errors[0])
    assert Order.objects.filter(state="active").count() == 1
