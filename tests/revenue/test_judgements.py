"""Judgements about modifications: proposed, approved by another, computed into the contract, never twice."""

from datetime import date
from decimal import Decimal as D
from typing import Any

import pytest
from django.db import DatabaseError, connection

from o2c.access.models import User
from o2c.actor import Actor, acting
from o2c.controls import approvals
from o2c.controls.approvals.models import Policy, Request
from o2c.errors import Conflict, DomainError, InvalidInput, NotAuthorised
from orders.services import amendments
from orders.services.inputs import PriceInput
from revenue.models import (
    ContractVersion,
    JudgedObligation,
    Obligation,
    Recognition,
    RevenueContract,
    ScheduleSlice,
    TreatmentJudgement,
)
from revenue.services import contracts, judgements
from tests.database import immediately
from tests.factories.access import make_user
from tests.factories.orders import (
    applied_amendment,
    line,
    make_customer,
    make_order,
    make_prices,
    orders_team,
)
from tests.factories.revenue import close_month, deliver, invoice, make_rates, recognise
from tests.revenue.test_changes import YEARLY, amend, planned
from tests.revenue.test_recognition import revenue_by_month

pytestmark = pytest.mark.django_db

CUMULATIVE: dict[str, Any] = {"treatment": "cumulative", "remaining_distinct": False}
SAID: dict[str, Any] = {
    "memo": "One integrated build: what remains cannot be used by itself",
    "support": "Memo RA-12",
}


@pytest.fixture
def second(books):
    """Somebody who decides: holds the approver's role and drafted nothing."""
    return Actor.of(make_user("anton", "approver"))


def cheaper(books, customer, seats=10, percent="50", since="2026-11-01", **terms):
    """Seats at 40.00 a month for a year from August 2026, cheaper from `since` on."""
    order = make_order(books.team, customer, [line("SEATS", seats)], state="active", **terms)
    deliver()
    changes = {"lines": [{"line": order.lines.get().pk, "discount_percent": percent}]}
    amend(books, order, "price", since, changes)
    return order


def propose(books, number=2, **values):
    version = ContractVersion.objects.get(number=number)
    chosen = values.pop("obligations", None) or [Obligation.objects.get().pk]
    return judgements.propose(
        version.pk, obligations=chosen, actor=books.accountant, **(SAID | CUMULATIVE | values)
    )


def run_sql(statement, parameters=()):
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)


# 10 seats at 40.00 for a year, half price from November: 4,800.00 becomes 3 x 400.00 + 9 x 200.00.
# By the end of October 92 of 365 days are earned: 1,209.86. Prospective leaves that; as one promise of
# 3,000.00 (606-10-25-13(b)) the end of November, 122 days, stands at 1,002.74: November is -207.12.


def test_a_cumulative_judgement_catches_up_on_the_day_that_it_counts_from(books, customer, second):
    cheaper(books, customer)
    before = planned(RevenueContract.objects.get())

    row = propose(books)
    assert (row.state, str(row)) == ("proposed", f"TJ-{row.pk:06d}")
    assert planned(RevenueContract.objects.get()) == before  # nothing counts yet
    judgements.approve(row.pk, actor=second)
    immediately()

    contract = RevenueContract.objects.get()
    after = planned(contract)
    version = contract.versions.get(number=3)
    assert (version.cause, version.source) == ("judged", row.source)
    assert contract.transaction_price == D("3000.00") == sum(after.values())
    assert {m: after[m] for m in ("2026-08", "2026-09", "2026-10")} == {
        m: before[m] for m in ("2026-08", "2026-09", "2026-10")
    }
    assert after["2026-11"] == D("1002.74") - D("1209.86")
    allocation = version.allocations.get()
    assert (allocation.treatment, allocation.rule) == (
        "cumulative", "606-10-25-13(b): one promise, partly satisfied (judged)",
    )  # fmt: skip


def test_the_proposal_says_what_it_would_do_and_does_just_that(books, customer, second):
    cheaper(books, customer)
    row = propose(books)
    said = {f"{m.month:%Y-%m}": (m.before, m.after) for m in row.months.all()}

    judgements.approve(row.pk, actor=second)

    assert {m: after for m, (_, after) in said.items()} == planned(RevenueContract.objects.get())
    assert sum(after - before for before, after in said.values()) == 0


def test_closed_months_keep_their_cents_and_the_open_one_takes_the_difference(books, customer):
    """The amendment counts from August's middle; August and September are closed when it is judged."""
    cheaper(books, customer, since="2026-09-01")
    invoice(books, "2026-10-01")
    for month in ("2026-08", "2026-09"):
        close_month(books, month)
    closed = list(Recognition.objects.order_by("pk").values_list("pk", "amount", "functional"))
    row = propose(books)
    anton, carla = (Actor.of(make_user(n, r)) for n, r in (("anton", "approver"), ("carla", "controller")))

    with pytest.raises(Conflict) as refused:
        judgements.approve(row.pk, actor=anton)
    assert refused.value.code == "approval_required"
    request = judgements.ask(row.pk, actor=books.accountant, reason="Before the quarter ends")
    assert [s.code for s in request.steps.order_by("position")] == ["approver", "controller"]
    assert request.facts["closed_moved"] != "0.00"
    approvals.approve(request.pk, actor=anton, reason="Read the memo")
    approvals.approve(request.pk, actor=carla, reason="Agreed")
    assert Request.objects.get(pk=request.pk).state == "committed"
    immediately()
    foreseen = row.journals
    assert Recognition.objects.count() == len(closed)  # nothing is posted by a judgement
    recognise(books, "2026-10")

    assert list(Recognition.objects.filter(period__name__lt="2026-10").order_by("pk")
                .values_list("pk", "amount", "functional")) == closed  # fmt: skip
    late = Recognition.objects.get(period__name="2026-10", effective_month=date(2026, 9, 1))
    change = {f"{m.month:%Y-%m}": m.after - m.before for m in row.months.all()}
    assert late.amount == change["2026-09"] < 0
    by_account = {x["account"]: D(x["debit"]) - D(x["credit"]) for x in foreseen["lines"]}
    assert foreseen["period"] == "2026-10"
    assert by_account["4005"] == -(change["2026-09"] + change["2026-10"])  # less revenue is a debit


def test_recognised_to_date_is_what_the_judged_schedule_says(books, customer, second):
    cheaper(books, customer, terms=YEARLY)
    judgements.approve(propose(books).pk, actor=second)

    for month in ("2026-08", "2026-09", "2026-10", "2026-11"):
        recognise(books, month)

    # 122 of 365 days by the end of November, of one promise of 3,000.00
    assert sum(revenue_by_month().values()) == D("1002.74")


def test_judging_first_and_amending_later_is_amending_first_and_judging_later(books, customer, second):
    """The schedule follows from the facts, whatever order they came in."""
    found = []
    for late in (False, True):
        order = cheaper(books, customer)
        contract = RevenueContract.objects.get(order=order)
        seats = order.lines.get().pk
        more = {"lines": [{"line": seats, "delta": "5"}]}
        if not late:
            amend(books, order, "quantity", "2027-02-01", more)
        version = contract.versions.get(number=2)
        row = judgements.propose(
            version.pk,
            obligations=[contract.obligations.get().pk],
            actor=books.accountant,
            **SAID,
            **CUMULATIVE,
        )
        judgements.approve(row.pk, actor=second)
        if late:
            amend(books, order, "quantity", "2027-02-01", more)
        contract.refresh_from_db()
        found.append((planned(contract), contract.transaction_price, contract.version))
    assert found[0] == found[1]
    assert found[0][2] == 4


def test_building_again_gives_the_same_contract(books, customer, second):
    order = cheaper(books, customer)
    judgements.approve(propose(books).pk, actor=second)
    before = list(ScheduleSlice.objects.values_list("version", "month", "amount"))

    assert contracts.build([order.pk], actor=books.accountant) == 0
    assert list(ScheduleSlice.objects.values_list("version", "month", "amount")) == before


def test_another_judgement_takes_the_place_of_the_first_and_the_rules_come_back(books, customer, second):
    cheaper(books, customer)
    derived = planned(RevenueContract.objects.get())
    judgements.approve(propose(books).pk, actor=second)
    judged = planned(RevenueContract.objects.get())
    assert judged != derived

    back = propose(books, treatment="derived", remaining_distinct=None)
    judgements.approve(back.pk, actor=second)

    contract = RevenueContract.objects.get()
    assert planned(contract) == derived
    assert contract.version == 4
    assert contract.versions.get(number=4).allocations.get().treatment == "prospective"
    with pytest.raises(InvalidInput, match="stands as the rules derive it already"):
        propose(books, treatment="derived", remaining_distinct=None)
    again = propose(books)
    judgements.approve(again.pk, actor=second)
    assert planned(RevenueContract.objects.get()) == judged


def test_it_is_decided_by_somebody_else(books, customer, second):
    cheaper(books, customer)
    row = propose(books)
    both = User.objects.get(pk=books.accountant.user_id)
    everything = Actor.of(make_user("boss", "approver", superuser=True))

    with pytest.raises(NotAuthorised):
        judgements.approve(row.pk, actor=books.accountant)
    with (
        pytest.raises(DatabaseError, match=r"does not (approve|decide)|judgement_decided_by_another"),
        acting(Actor.of(both), reason="shortcut"),
    ):
        TreatmentJudgement.objects.filter(pk=row.pk).update(state="approved", decided_by_id=both.pk)
        immediately()
    with pytest.raises(DatabaseError), acting(everything, reason="in another's name"):
        TreatmentJudgement.objects.filter(pk=row.pk).update(state="approved", decided_by_id=second.user_id)
    assert TreatmentJudgement.objects.get(pk=row.pk).state == "proposed"


def test_whoever_drafted_the_amendment_does_not_approve(books, customer):
    """Neither by the service nor by hand: the table asks history who wrote the amendment."""
    order = cheaper(books, customer)
    drafter = orders_team("dora", "revenue.treatment.approve", "approvals.request.decide")
    day = date(2027, 1, 1)
    drafted = amendments.draft(
        order.pk, kind="price", effective_on=day, actor=drafter, as_of=day, reason="Agreed",
        changes={"lines": [{"line": order.lines.get().pk, "discount_percent": "60"}]},
    )  # fmt: skip
    applied_amendment(drafted, books.team, as_of=day)
    deliver()
    row = propose(books, number=3)

    with pytest.raises(NotAuthorised, match="drafted the amendment"):
        judgements.approve(row.pk, actor=drafter)
    with pytest.raises(DatabaseError, match="drafted its amendment"), acting(drafter, reason="shortcut"):
        TreatmentJudgement.objects.filter(pk=row.pk).update(state="approved", decided_by_id=drafter.user_id)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"remaining_distinct": True}, "is for service that is not distinct"),
        ({"treatment": "prospective"}, "takes a cumulative catch-up"),
        ({"remaining_distinct": None}, "whether the service that remains is distinct"),
        ({"treatment": "prospective", "remaining_distinct": True}, "is treated as prospective already"),
        ({"treatment": "separate", "remaining_distinct": True}, "adds no goods for a price"),
        ({"memo": "  "}, "says why"),
        ({"support": ""}, "says why"),
        ({"number": 1}, "is no modification, it is 'activated'"),
    ],
)
def test_what_is_not_permitted_is_refused_in_words(books, customer, values, text):
    cheaper(books, customer)
    with pytest.raises(InvalidInput, match=text):
        propose(books, **values)
    assert not TreatmentJudgement.objects.exists()


def test_what_has_not_begun_has_nothing_to_catch_up(books, customer):
    cheaper(books, customer, since="2026-08-01")
    with pytest.raises(InvalidInput, match="had not begun by 2026-08-01"):
        propose(books)


def test_an_addition_at_its_price_may_be_judged_part_of_what_remains(books, customer, second):
    """The rule finds a separate contract; a person who denies its price says prospective."""
    order = make_order(books.team, customer, [line("SEATS", 10)], state="active")
    deliver()
    amend(books, order, "quantity", "2027-02-01", {"lines": [{"line": order.lines.get().pk, "delta": "5"}]})
    assert ContractVersion.objects.get(number=2).allocations.get().treatment == "separate"
    row = propose(books, treatment="prospective", remaining_distinct=True)
    judgements.approve(row.pk, actor=second)
    assert ContractVersion.objects.get(number=3).allocations.get().treatment == "prospective"


def test_one_judgement_of_a_version_waits_at_a_time(books, customer):
    cheaper(books, customer)
    first = propose(books)
    with pytest.raises(Conflict, match="waits for a decision"):
        propose(books)
    judgements.withdraw(first.pk, actor=books.accountant)
    assert propose(books).state == "proposed"


def test_a_contract_that_changed_since_is_proposed_about_again(books, customer, second):
    order = cheaper(books, customer)
    row = propose(books)
    amend(books, order, "cancel", "2027-03-01", {"mode": "now"})
    with pytest.raises(Conflict, match="The contract has changed since"):
        judgements.approve(row.pk, actor=second)
    assert TreatmentJudgement.objects.get(pk=row.pk).state == "proposed"


def test_twice_is_once(books, customer, second):
    cheaper(books, customer)
    row = propose(books)
    judgements.approve(row.pk, actor=second)
    with pytest.raises(DomainError):
        judgements.approve(row.pk, actor=second)
    assert RevenueContract.objects.get().version == 3


@pytest.mark.parametrize(
    ("seats", "steps"), [(10, []), (1000, ["approver"]), (5000, ["approver", "controller"])]
)
def test_what_it_moves_decides_who_agrees(books, customer, second, seats, steps):
    """10 seats move 403.84 out of November, 1,000 seats 40,384, 5,000 seats 201,920."""
    cheaper(books, customer, seats=seats)
    row = propose(books)
    if not steps:
        assert judgements.approve(row.pk, actor=second).state == "approved"
        return
    with pytest.raises(Conflict) as refused:
        judgements.approve(row.pk, actor=second)
    assert refused.value.code == "approval_required"
    request = judgements.ask(row.pk, actor=books.accountant, reason="Please")
    assert [s.code for s in request.steps.order_by("position")] == steps


def test_yen_have_no_cents_and_are_weighed_in_the_entity_s_currency(books, second):
    """4,000 yen a seat and month, 1,000 seats: 48 million become 30 million, at 0.0070 dollars a yen."""
    make_rates("JPY", "USD", {"2026-08-01": "0.0070"})
    spec = {"model": "per_unit", "unit_amount": "4000"}
    make_prices(books.team, [PriceInput("SEATS", "JPY", spec, date(2026, 1, 1))])
    cheaper(books, make_customer(books.team, "Nippon", entity="US", currency="JPY"), seats=1000)

    row = propose(books)
    with pytest.raises(Conflict, match="Approver"):
        judgements.approve(row.pk, actor=second)
    request = judgements.ask(row.pk, actor=books.accountant, reason="Please")
    approvals.approve(request.pk, actor=second, reason="Read")

    after = planned(RevenueContract.objects.get())
    # 30,000,000 x 122/365 = 10,027,397 by the end of November, 48,000,000 x 92/365 = 12,098,630 before it
    assert after["2026-11"] == D("10027397") - D("12098630")
    moved = sum(abs(m.after - m.before) for m in row.months.all()) / 2
    assert D(request.facts["moved"]) == (moved * D("0.0070")).quantize(D("0.01"))
    assert request.facts["functional_currency"] == "USD"


@pytest.mark.parametrize("door", ["app", "superuser", "owner"])
def test_no_row_is_approved_by_hand(books, customer, second, door, as_owner):
    cheaper(books, customer, seats=1000)
    row = propose(books)
    who = second if door == "app" else Actor.of(make_user("eve", "approver", superuser=True))

    def by_hand():
        TreatmentJudgement.objects.filter(pk=row.pk).update(state="approved", decided_by_id=who.user_id)
        immediately()

    with (
        pytest.raises(DatabaseError, match=r"needs 1 approval|only together"),
        acting(who, reason="shortcut"),
    ):
        if door == "owner":
            with as_owner():
                by_hand()
        else:
            by_hand()


def test_a_small_one_is_not_approved_by_hand_without_its_version(books, customer, second):
    cheaper(books, customer)
    row = propose(books)
    with (
        pytest.raises(DatabaseError, match="only together with the contract version"),
        acting(second, reason="x"),
    ):
        TreatmentJudgement.objects.filter(pk=row.pk).update(state="approved", decided_by_id=second.user_id)
        immediately()


def test_no_version_says_that_it_was_judged_without_a_judgement(books, customer, second):
    cheaper(books, customer)
    row = propose(books)
    contract = RevenueContract.objects.get()
    with pytest.raises(DatabaseError, match="no judgement was approved with it"), acting(second, reason="x"):
        ContractVersion.objects.create(
            contract=contract, number=3, effective_on=date(2026, 11, 1), cause="judged", source=row.source,
            transaction_price=contract.transaction_price, digest="0" * 64,
        )  # fmt: skip
        immediately()


def test_what_was_decided_about_never_grows_or_changes(books, customer, second):
    cheaper(books, customer)
    row = propose(books)
    with pytest.raises(DatabaseError), acting(second, reason="x"):
        TreatmentJudgement.objects.filter(pk=row.pk).update(memo="Another")
    judgements.approve(row.pk, actor=second)
    immediately()
    for statement in (
        "UPDATE revenue_judgedmonth SET after = after + 1",
        "DELETE FROM revenue_judgedobligation",
        "UPDATE revenue_treatmentjudgement SET state = 'proposed'",
        "DELETE FROM revenue_treatmentjudgement",
    ):
        with pytest.raises(DatabaseError), acting(second, reason="x"):
            run_sql(statement)
    with pytest.raises(DatabaseError), acting(second, reason="x"):
        JudgedObligation.objects.create(
            judgement=row, obligation=Obligation.objects.get(), treatment_before="x"
        )


def test_without_a_policy_nothing_is_approved(books, customer, second, as_owner):
    cheaper(books, customer)
    row = propose(books)
    with as_owner(), acting(Actor.installer(), reason="test set-up"):
        run_sql("ALTER TABLE approvals_policy DISABLE TRIGGER USER")
        Policy.objects.filter(act=judgements.APPROVE).update(state="retired")
        run_sql("ALTER TABLE approvals_policy ENABLE TRIGGER USER")
    with pytest.raises(Conflict, match="No approval policy is in force"):
        judgements.approve(row.pk, actor=second)
