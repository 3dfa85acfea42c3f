"""S34, S40: who posted by hand leaves the period alone; who changed usage does not release its run."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from decimal import Decimal

import pytest
from django.db import connection

from billing.models import BillRun, UsageException, UsageRepair
from billing.services import findings, invoices, metering, retractions, rollups, runs
from o2c import clock
from o2c.access.models import Role, RoleGrant, User
from o2c.access.services.accounts import PLACEHOLDER_OWNER
from o2c.actor import Actor, acting
from o2c.controls import approvals
from o2c.controls.sod.models import Denial, SodRule
from o2c.errors import NotAuthorised
from o2c.ledger import manual
from o2c.ledger.models import AccountingPeriod
from orders.models import Customer
from revenue.services import close
from tests.factories.access import change_rules, make_account, make_user
from tests.factories.billing import Team, bill, billing_team, books
from tests.factories.orders import line, make_catalogue, make_customer, make_order

pytestmark = pytest.mark.django_db

JANUARY = dt.date(2026, 1, 20)


@pytest.fixture(autouse=True)
def _no_memory() -> Iterator[None]:
    """Ids remembered from another test's transaction mean nothing here."""
    metering.forget()
    yield
    metering.forget()


@pytest.fixture
def team() -> Team:
    made = billing_team()
    books(made)
    return made


@pytest.fixture
def customer(team: Team) -> Customer:
    return make_customer(team.orders)


def month(name: str = "2026-01", entity: str = "US") -> AccountingPeriod:
    return AccountingPeriod.objects.get(entity__code=entity, name=name)


def becomes(user: User, role: str) -> Actor:
    """What they held is taken away, and they hold this role instead."""
    with acting(Actor.installer()):
        RoleGrant.objects.filter(user=user, valid_to=None).update(valid_to=clock.now())
        RoleGrant.objects.create(
            user=user,
            role=Role.objects.get(code=role),
            granted_by=User.objects.get(username=PLACEHOLDER_OWNER),
            valid_from=clock.now(),
        )
    return Actor.of(user)


Door = Callable[[AccountingPeriod, Actor], object]


def by_service(period: AccountingPeriod, actor: Actor) -> object:
    return close.start(period.pk, actor=actor)


def by_shell(period: AccountingPeriod, actor: Actor) -> object:
    with acting(actor):
        return AccountingPeriod.objects.filter(pk=period.pk).update(state="closing")


def by_sql(period: AccountingPeriod, actor: Actor) -> object:
    with acting(actor), connection.cursor() as cursor:
        return cursor.execute(
            "UPDATE ledger_accountingperiod SET state = 'closing' WHERE id = %s", [period.pk]
        )


@pytest.mark.parametrize("superuser", [False, True])
@pytest.mark.parametrize("door", [by_service, by_shell, by_sql])
def test_whoever_posted_an_invoice_by_hand_does_not_close_its_month(
    team: Team, customer: Customer, door: Door, superuser: bool
) -> None:
    pat = make_user("pat", "approver", superuser=superuser)
    draft = invoices.draft(
        customer_id=customer.pk,
        lines=[invoices.ManualLine("Work", Decimal("100"))],
        issue_date=JANUARY,
        actor=team.ops,
    )
    invoices.post(draft.pk, actor=Actor.of(pat))
    now_closing = becomes(pat, "revenue_accounting")
    with pytest.raises(NotAuthorised, match="S34: pat did .Post or void an invoice. on this lineage"):
        door(month(), now_closing)
    assert month().state == "open"
    assert Denial.objects.get().rule == "S34"
    # Another month, and the same month of another company, are none of it.
    by_shell(month("2026-02"), now_closing)
    by_shell(month(entity="IE"), now_closing)
    # Somebody who posted nothing closes it.
    by_service(month(), Actor.of(make_user("rita", "revenue_accounting")))
    assert month().state == "closing"


def test_a_rule_that_is_off_lets_it_through(team: Team, customer: Customer) -> None:
    pat = make_user("pat", "approver")
    draft = invoices.draft(
        customer_id=customer.pk,
        lines=[invoices.ManualLine("Work", Decimal("100"))],
        issue_date=JANUARY,
        actor=team.ops,
    )
    invoices.post(draft.pk, actor=Actor.of(pat))
    change_rules(SodRule.objects.filter(code="S34"), at_transaction=False)
    by_service(month(), becomes(pat, "revenue_accounting"))
    assert month().state == "closing"


def test_whoever_closed_or_reopened_the_month_does_not_post_into_it(team: Team, customer: Customer) -> None:
    rita = make_user("rita", "revenue_accounting")
    by_shell(month(), Actor.of(rita))
    draft = invoices.draft(
        customer_id=customer.pk,
        lines=[invoices.ManualLine("Work", Decimal("100"))],
        issue_date=JANUARY,
        actor=team.ops,
    )
    with pytest.raises(NotAuthorised, match="S34: rita did .Open, close and reopen"):
        invoices.post(draft.pk, actor=becomes(rita, "approver"))


def test_a_manual_journal_is_an_entry_of_its_month(team: Team) -> None:
    pat = make_user("pat", "approver")
    row = manual.draft(
        entity_id=month().entity_id,
        currency="USD",
        posting_date=JANUARY,
        memo="Accrual",
        support="Letter of 20 January",
        lines=[("6100", Decimal("10"), Decimal(0), ""), ("2120", Decimal(0), Decimal("10"), "")],
        actor=Actor.of(make_user("rita", "revenue_accounting")),
    )
    asked = manual.ask(row.pk, actor=Actor.of(User.objects.get(username="rita")), reason="Accrual")
    approvals.approve(asked.pk, actor=Actor.of(pat), reason="Read the letter")
    row.refresh_from_db()
    assert row.state == "posted"
    with pytest.raises(NotAuthorised, match="S34: pat did .Approve and post manual journals."):
        by_service(month(), becomes(pat, "revenue_accounting"))


def test_what_a_run_posts_is_nobodys_entry(team: Team, customer: Customer) -> None:
    make_catalogue(team.orders)
    make_order(team.orders, customer, [line("SEATS", 20)], state="active")
    olga = make_user("olga", "billing_ops")
    run = bill(team, dt.date(2026, 10, 1), upto="released", issue_on=dt.date(2026, 8, 31))
    assert runs.post(run.pk, actor=Actor.of(olga)).state == "posted"
    by_shell(month("2026-08"), becomes(olga, "revenue_accounting"))
    assert month("2026-08").state == "closing"


@pytest.fixture
def metered(team: Team, customer: Customer) -> Customer:
    """A customer with usage: one event stored, two parked because their time is still to come."""
    make_catalogue(team.orders)
    make_order(team.orders, customer, [line("TOKENS", 1)], state="active")
    return customer


def send(customer: Customer, event_id: str, time: str, *, as_of: str = "2026-08-20T00:00:00+00:00") -> None:
    machine = User.objects.filter(username="gateway").first() or make_account("gateway", "metering")
    event: dict[str, object] = {
        "id": event_id,
        "customer": customer.number,
        "meter": "tokens",
        "time": time,
        "quantity": "1000",
    }
    metering.ingest_events(
        "gateway", [event], as_of=dt.datetime.fromisoformat(as_of), actor=Actor.of(machine)
    )


def parked(customer: Customer, event_id: str, time: str = "2026-08-25T10:00:00Z") -> UsageException:
    send(customer, event_id, time, as_of="2026-08-20T00:00:00+00:00")
    return UsageException.objects.get(event_id=event_id)


def retried(customer: Customer, usa: User) -> None:
    row = parked(customer, "late")
    metering.retry([row.pk], as_of=dt.datetime(2026, 8, 30, tzinfo=dt.UTC), actor=Actor.of(usa))
    row.refresh_from_db()
    assert row.state == "accepted"


def rejected(customer: Customer, usa: User) -> None:
    metering.reject(parked(customer, "wrong").pk, actor=Actor.of(usa), reason="A test event")


def rejected_of_nobody_known(customer: Customer, usa: User) -> None:
    row = parked(customer, "typo")
    with acting(Actor.installer()):
        UsageException.objects.filter(pk=row.pk).update(customer_number="C-TYPO")
    metering.reject(row.pk, actor=Actor.of(usa), reason="A test event")


def retracted(customer: Customer, usa: User) -> None:
    send(customer, "kept", "2026-08-03T10:00:00Z")
    send(customer, "gone", "2026-08-04T10:00:00Z")
    retractions.retract("gateway", [{"id": "r-1", "retracts": "gone"}], actor=Actor.of(usa))


def repaired(customer: Customer, usa: User) -> None:
    send(customer, "kept", "2026-08-03T10:00:00Z")
    with acting(Actor.installer()), connection.cursor() as cursor:
        cursor.execute("UPDATE billing_usagehour SET quantity = quantity + 1")
    controller = becomes(usa, "controller")
    assert rollups.repair(actor=controller, reason="A total was off") == 1
    assert UsageRepair.objects.get().hours == 1


Change = Callable[[Customer, User], None]
Release = Callable[[BillRun, Actor], object]


def release(run: BillRun, actor: Actor) -> object:
    return runs.release(run.pk, actor=actor, reason="Looked through")


def release_by_shell(run: BillRun, actor: Actor) -> object:
    with acting(actor):
        return BillRun.objects.filter(pk=run.pk).update(
            state="released", released_by_id=actor.user_id, released_at=clock.now()
        )


def release_by_sql(run: BillRun, actor: Actor) -> object:
    with acting(actor), connection.cursor() as cursor:
        return cursor.execute(
            "UPDATE billing_billrun SET state = 'released', released_by_id = %s, released_at = now()"
            " WHERE id = %s",
            [actor.user_id, run.pk],
        )


@pytest.mark.parametrize("door", [release, release_by_shell, release_by_sql])
@pytest.mark.parametrize("superuser", [False, True])
@pytest.mark.parametrize("change", [retried, rejected, rejected_of_nobody_known, retracted, repaired])
def test_whoever_changed_usage_does_not_release_the_run_that_bills_it(
    team: Team, metered: Customer, change: Change, superuser: bool, door: Release
) -> None:
    usa = make_user("usa", "billing_ops", superuser=superuser)
    change(metered, usa)
    run = bill(team, dt.date(2026, 9, 1), upto="calculated")
    findings.acknowledge_all(run.pk, actor=team.ops, reason="Looked at")
    approver = becomes(usa, "approver")
    with pytest.raises(NotAuthorised, match="S40: usa did .Adjust or re-ingest usage. on this lineage"):
        door(run, approver)
    run.refresh_from_db()
    assert run.state == "calculated"
    assert Denial.objects.get().rule == "S40"
    assert runs.release(run.pk, actor=team.approver).state == "released"


def test_the_next_run_is_free_again(team: Team, metered: Customer) -> None:
    """What was changed entered one run; whoever changed it may release the one after it."""
    usa = make_user("usa", "billing_ops")
    retried(metered, usa)
    bill(team, dt.date(2026, 9, 1))
    second = bill(team, dt.date(2026, 10, 1), upto="calculated")
    findings.acknowledge_all(second.pk, actor=team.ops, reason="Looked at")
    assert runs.release(second.pk, actor=becomes(usa, "approver")).state == "released"


def test_a_run_that_was_calculated_before_is_not_touched_by_it(team: Team, metered: Customer) -> None:
    usa = make_user("usa", "billing_ops")
    row = parked(metered, "late")
    run = bill(team, dt.date(2026, 9, 1), upto="calculated")
    metering.retry([row.pk], as_of=dt.datetime(2026, 8, 30, tzinfo=dt.UTC), actor=Actor.of(usa))
    findings.acknowledge_all(run.pk, actor=team.ops, reason="Looked at")
    assert runs.release(run.pk, actor=becomes(usa, "approver")).state == "released"


def test_usage_of_another_company_is_no_part_of_the_run(team: Team, metered: Customer) -> None:
    usa = make_user("usa", "billing_ops")
    metering.reject(parked(metered, "wrong").pk, actor=Actor.of(usa), reason="A test event")
    other = make_customer(team.orders, "Initech", "IE", currency="EUR")
    make_order(team.orders, other, [line("SEATS", 20)], state="active")
    run = bill(team, dt.date(2026, 10, 1), entity="IE", upto="calculated")
    findings.acknowledge_all(run.pk, actor=team.ops, reason="Looked at")
    assert runs.release(run.pk, actor=becomes(usa, "approver")).state == "released"
