"""Closing a month: the checklist, two signatures, the lock, the way back."""

from decimal import Decimal as D

import pytest
from django.db import DatabaseError, connection

from o2c.actor import acting
from o2c.controls import approvals
from o2c.errors import ClosedPeriod, Conflict, InvalidInput, NotAuthorised
from o2c.ledger.models import AccountingPeriod, Journal
from revenue.models import CloseRun, Explanation, TieOut
from revenue.selectors import checklist, trial_balance
from revenue.services import close, exports
from revenue.tieouts.registry import by_code
from revenue.tieouts.registry import checklist as queries
from tests.factories.orders import line, make_order
from tests.factories.revenue import close_month, deliver, invoice, person, recognise, use
from tests.revenue.test_changes import amend

pytestmark = pytest.mark.django_db


@pytest.fixture
def august(books, customer):
    """A month with seats, usage and onboarding, billed, recognised and exported."""
    make_order(books.team, customer, [line("SEATS", 10), line("TOKENS"), line("ONBOARDING")], state="active")
    use(books, customer, "4000000", "2026-08-10")
    invoice(books, "2026-09-01")
    recognise(books, "2026-08")
    period = books.period("2026-08")
    exports.build(period.pk, actor=books.accountant)
    return period


def started(books, period):
    run = close.start(period.pk, actor=books.accountant)
    return close.run_tie_outs(run.pk, actor=books.accountant)


def test_a_clean_month_ties_out_and_is_locked_by_two(books, august):
    run = started(books, august)

    assert [i.query.code for i in checklist.items(run) if i.standing != "agrees"] == []
    assert len(queries()) >= 35
    close.prepare(run.pk, actor=books.accountant)
    run = close.lock(run.pk, actor=books.controller)

    assert run.state == CloseRun.State.LOCKED
    assert books.period("2026-08").state == "closed"
    assert (run.prepared_by_id, run.reviewed_by_id) == (books.accountant.user_id, books.controller.user_id)
    assert (
        run.snapshot["trial_balance"]["sha256"] == trial_balance.hashes(august.pk)["trial_balance"]["sha256"]
    )


def test_nothing_posts_to_a_closed_period_whoever_tries(books, customer, august):
    """Raw SQL with the rights of the product meets the same wall."""
    close_month(books, "2026-08")

    with pytest.raises(DatabaseError, match="takes no journal"), acting(books.accountant, reason="test"):
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO ledger_journal (entity_id, period_id, currency, posting_date, effective_date,"
                " event_key, rule, source, memo) VALUES (%s, %s, 'USD', '2026-08-31', '2026-08-31',"
                " 'ledger.manualjournal:1', 'manual.posted', 'x:1', '')",
                [books.entity.pk, august.pk],
            )


def test_invoices_of_a_closed_month_are_refused(books, customer, august):
    close_month(books, "2026-08")
    make_order(books.team, customer, [line("PLATFORM")], state="active")

    with pytest.raises(ClosedPeriod):
        invoice(books, "2026-09-01", issue_on="2026-08-31")


def test_a_period_is_not_locked_past_its_close(books, august):
    with pytest.raises(DatabaseError, match="two people signed"), acting(books.accountant, reason="test"):
        with connection.cursor() as cursor:
            cursor.execute("UPDATE ledger_accountingperiod SET state = 'closing' WHERE id = %s", [august.pk])
            cursor.execute("UPDATE ledger_accountingperiod SET state = 'closed' WHERE id = %s", [august.pk])


def test_a_closed_period_is_not_opened_past_its_close(books, august):
    close_month(books, "2026-08")

    with pytest.raises(DatabaseError, match="two people decide"), acting(books.accountant, reason="test"):
        with connection.cursor() as cursor:
            cursor.execute("UPDATE ledger_accountingperiod SET state = 'open' WHERE id = %s", [august.pk])


def test_nobody_signs_for_somebody_else(books, august):
    run = started(books, august)

    with pytest.raises(DatabaseError, match="given by its owner"), acting(books.accountant, reason="test"):
        CloseRun.objects.filter(pk=run.pk).update(prepared_by_id=books.controller.user_id)


def test_who_prepared_does_not_review(books, august):
    both = person("both", "revenue_accounting", "controller", excused=True)
    run = started(books, august)
    close.prepare(run.pk, actor=both)

    with pytest.raises(Conflict, match="does not review"):
        close.lock(run.pk, actor=both)
    with pytest.raises(DatabaseError, match="close_reviewed_by_second_person"), acting(both, reason="test"):
        CloseRun.objects.filter(pk=run.pk).update(reviewed_by_id=both.user_id)


def test_the_duties_of_the_close_are_different_people(books, august):
    run = started(books, august)

    with pytest.raises(NotAuthorised):
        close.prepare(run.pk, actor=books.controller)
    close.prepare(run.pk, actor=books.accountant)
    with pytest.raises(NotAuthorised):
        close.lock(run.pk, actor=books.accountant)


def test_an_item_that_differs_stops_the_close_until_a_person_explains_it(books, customer, august):
    use(books, customer, "4000000", "2026-08-11")  # arrives after the run: accrual and invoice lack it
    recognise(books, "2026-08")
    run = started(books, august)
    differing = [i.query.code for i in checklist.items(run) if i.standing == "differs"]
    assert differing == ["export.complete"]

    with pytest.raises(Conflict, match="nobody has explained"):
        close.prepare(run.pk, actor=books.accountant)
    with pytest.raises(InvalidInput, match="says why"):
        close.explain(run.pk, code="export.complete", reason=" ", actor=books.accountant)
    close.explain(run.pk, code="export.complete", reason="Follows tomorrow", actor=books.accountant)

    assert checklist.unanswered(CloseRun.objects.get(pk=run.pk)) == []
    assert close.prepare(run.pk, actor=books.accountant).state == "prepared"
    assert Explanation.objects.get().explained_by.username == "accountant"


def test_an_explanation_holds_for_its_figures_only(books, customer, august):
    use(books, customer, "4000000", "2026-08-11")
    recognise(books, "2026-08")
    run = started(books, august)
    close.explain(run.pk, code="export.complete", reason="Follows tomorrow", actor=books.accountant)
    use(books, customer, "4000000", "2026-08-12")
    recognise(books, "2026-08")

    run = close.run_tie_outs(run.pk, actor=books.accountant)

    assert [t.code for t in checklist.unanswered(run)] == ["export.complete"]


def test_what_agrees_needs_no_explanation(books, august):
    run = started(books, august)

    with pytest.raises(Conflict, match="nothing to explain"):
        close.explain(run.pk, code="books.journals", reason="Because", actor=books.accountant)


def test_what_moves_after_the_signature_stops_the_lock(books, customer, august):
    run = started(books, august)
    close.prepare(run.pk, actor=books.accountant)
    use(books, customer, "4000000", "2026-08-12")
    recognise(books, "2026-08")

    with pytest.raises(Conflict, match="moved since it was prepared"):
        close.lock(run.pk, actor=books.controller)

    assert books.period("2026-08").state == "closing"
    run = close.send_back(run.pk, actor=books.controller, reason="Late usage came in")
    assert (run.state, run.prepared_by, run.digest) == ("open", None, "")


def test_what_moves_before_the_signature_stops_it_too(books, customer, august):
    run = started(books, august)
    use(books, customer, "4000000", "2026-08-12")
    recognise(books, "2026-08")

    with pytest.raises(Conflict, match="moved since the tie-outs ran"):
        close.prepare(run.pk, actor=books.accountant)


def test_months_are_closed_in_their_order(books, august):
    with pytest.raises(Conflict, match="2026-08 is not closed"):
        close.start(books.period("2026-09").pk, actor=books.accountant)


def test_only_the_latest_closed_month_is_reopened(books, customer, august):
    """CLOSE-REOPEN: with August and September closed, September may be reopened and August not."""
    first = close_month(books, "2026-08")
    invoice(books, "2026-10-01")
    second = close_month(books, "2026-09")

    with pytest.raises(Conflict, match="2026-09 is closed"):
        close.ask_reopen(first.pk, actor=books.accountant, reason="A late invoice")
    run = close.ask_reopen(second.pk, actor=books.accountant, reason="A late invoice")
    assert books.period("2026-09").state == "closed"
    run = reopened(books, run)

    assert (run.state, books.period("2026-09").state) == ("reopened", "open")
    assert run.reopening_reason == "A late invoice"
    close.ask_reopen(first.pk, actor=books.accountant, reason="Now it is the latest")


def test_reopening_takes_a_reason_and_two_people(books, august):
    both = person("both", "revenue_accounting", "controller", excused=True)
    run = close_month(books, "2026-08")

    with pytest.raises(InvalidInput, match="reason"):
        close.ask_reopen(run.pk, actor=both, reason="")
    close.ask_reopen(run.pk, actor=both, reason="A late invoice")
    with pytest.raises(Conflict, match="does not grant"):
        close.reopen(run.pk, actor=both)
    assert close.keep_locked(run.pk, actor=books.controller).state == "locked"


def test_a_reopened_month_is_closed_anew(books, customer, august):
    run = close_month(books, "2026-08")
    close.ask_reopen(run.pk, actor=books.accountant, reason="A late invoice")
    with pytest.raises(Conflict, match="Its books have left for the general ledger"):
        close.reopen(run.pk, actor=books.controller)
    reopened(books, run)

    again = close_month_after_reopening(books)

    assert (again.number, again.state) == (2, "locked")
    assert CloseRun.objects.get(number=1).state == "reopened"


def reopened(books, run):
    """By the approver and the controller: the month was exported to the general ledger."""
    asked = close.ask_approval(run.pk, actor=books.accountant, reason="Agreed with the auditors")
    for judge in (person("reopening-approver", "approver"), books.controller):
        approvals.approve(asked.pk, actor=judge, reason="Seen")
    run.refresh_from_db()
    return run


def close_month_after_reopening(books):
    period = books.period("2026-08")
    recognise(books, "2026-08")
    run = started(books, period)
    for answer in checklist.unanswered(run):
        close.explain(run.pk, code=answer.code, reason="Known", actor=books.accountant)
    close.prepare(run.pk, actor=books.accountant)
    return close.lock(run.pk, actor=books.controller)


def test_a_closed_month_stays_bit_identical_whatever_comes_later(books, customer, august):
    """Late usage, an amendment, a credit and two more months: August is what was signed."""
    run = close_month(books, "2026-08")
    signed = trial_balance.hashes(august.pk)
    rows = trial_balance.trial_balance(august)

    use(books, customer, "9000000", "2026-08-20")
    order = customer.orders.get()
    seats = order.lines.get(sku__code="SEATS").pk
    amend(books, order, "quantity", "2026-09-01", {"lines": [{"line": seats, "quantity": "3"}]})
    invoice(books, "2026-10-01")
    close_month(books, "2026-09")
    invoice(books, "2026-11-01")
    recognise(books, "2026-10")

    assert trial_balance.hashes(august.pk) == signed
    assert trial_balance.trial_balance(august) == rows
    assert run.snapshot["recognition"] == signed["recognition"]


def test_the_rows_behind_an_item_can_be_listed(books, customer, august):
    make_order(books.team, customer, [line("PLATFORM")], state="active")
    deliver()

    found = checklist.rows(august, by_code("contract.posted"))

    worst = found[0]
    assert worst[0].endswith("2026-08")
    assert (worst[2], worst[3], worst[4]) == (D("509.59"), D("0"), D("509.59"))


def test_every_answer_says_which_question_it_answered(books, august):
    run = started(books, august)

    for answer in TieOut.objects.filter(close=run):
        assert answer.query_digest == by_code(answer.code).digest
    assert Journal.objects.filter(period=august).exists()
    assert AccountingPeriod.objects.get(pk=august.pk).state == "closing"
