"""Refunds that AWS is asked to give: never beyond what it billed, approved by another, in a file, matched."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from decimal import Decimal

import pytest
from django.db import DatabaseError, connection

from o2c import clock
from o2c.access.models import User
from o2c.actor import Actor, acting
from o2c.controls import approvals
from o2c.errors import Conflict, DomainError, InvalidInput, NotAuthorised
from partners.domain import refund_file
from partners.models import Break, MarketplaceRefund, RefundLine
from partners.selectors.refunds import refundable
from partners.services import feeds, reconcile, refund_files, refunds
from tests.database import immediately
from tests.factories.access import make_user
from tests.factories.partners import PRODUCT_ID, SELLER_ACCOUNT, Shop, hour
from tests.partners.test_feeds import event, text

pytestmark = pytest.mark.django_db

D = Decimal
AsOwner = Callable[[], AbstractContextManager[None]]
INVOICE = "2500000001"
ON = dt.date(2026, 9, 10)


def person(name: str, role: str) -> Actor:
    user = User.objects.filter(username=name).first()
    return Actor.of(user or make_user(name, role))


def pat() -> Actor:
    return person("pat", "partner_ops")


def abe() -> Actor:
    return person("abe", "approver")


def take(shop: Shop, *rows: dict[str, str]) -> None:
    content = text(list(rows))
    feeds.import_text(
        content, name="feed", feed="billing_event", channel=shop.channel, snapshot_at=hour(1, 0, month=11),
        actor=shop.team,
    )  # fmt: skip


def billed(shop: Shop, amount: str = "1000.00", number: int = 1, invoice: str = INVOICE) -> None:
    """AWS billed the buyer on 2 September."""
    take(shop, event(f"A{number}", "SELLER_REV_SHARE", amount, invoice_id=invoice))


def given(shop: Shop, amount: str, name: str = "R1", parent: str = "A1", at: str = "2026-09-20") -> None:
    """AWS's feed shows a refund."""
    take(
        shop,
        event(name, "SELLER_REV_SHARE_REFUND", f"-{amount}", at=at, parent_billing_event_id=parent,
              invoice_id=f"CM-{name}"),
    )  # fmt: skip


def draft(shop: Shop, amount: str = "100.00", **values: object) -> MarketplaceRefund:
    fields: dict[str, object] = {
        "invoice_ref": INVOICE, "reason_code": "INCORRECT_METERING", "description": "Counted twice",
        "requested_on": ON, "actor": pat(),
    }  # fmt: skip
    return refunds.draft(shop.agreement.pk, amount=D(amount), **{**fields, **values})  # type: ignore[arg-type]


def submitted(shop: Shop, amount: str = "100.00") -> MarketplaceRefund:
    row = refunds.approve(draft(shop, amount).pk, actor=abe())
    refund_files.submit_many([row.pk], actor=pat(), as_of=hour(10, 12, month=9))
    row.refresh_from_db()
    return row


def run(shop: Shop, day: int, month: int = 9) -> dict[str, D]:
    reconcile.run(shop.channel, as_of=hour(day, 7, month=month), actor=shop.team)
    live = Break.objects.filter(state__in=Break.LIVE, leg__in=["L9R", "L9M"])
    return {row.type: row.value for row in live}


# The limit.


def test_a_refund_is_at_most_what_aws_billed_and_nobody_refunded_yet(shop: Shop) -> None:
    billed(shop)
    draft(shop, "600.00")
    with pytest.raises(InvalidInput, match="400.00 is left of 1000.00"):
        draft(shop, "400.01")
    given(shop, "250.00")
    with pytest.raises(InvalidInput, match="150.00 is left"):
        draft(shop, "150.01")
    draft(shop, "150.00")
    left = refundable(shop.agreement.pk, INVOICE)
    assert (left.billed, left.asked, left.unasked, left.left) == (D(1000), D(750), D(250), D(0))


def test_what_was_cancelled_or_rejected_is_free_again(shop: Shop) -> None:
    billed(shop)
    refunds.cancel(draft(shop, "1000.00").pk, actor=pat(), reason="Another way")
    row = submitted(shop, "1000.00")
    refund_files.reject(row.pk, actor=pat(), reason="VALIDATION_FAILED")
    assert draft(shop, "1000.00").state == "draft"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"invoice_ref": "999"}, "shows no invoice 999"),
        ({"reason_code": "BECAUSE"}, "no reason of AWS"),
        ({"description": " "}, "Say what went wrong"),
        ({"amount": "0.00"}, "cannot be refunded"),
        ({"amount": "1.001"}, "cannot be refunded"),
    ],
)
def test_what_cannot_be_asked_for_is_said_in_words(shop: Shop, values: dict[str, str], said: str) -> None:
    billed(shop)
    amount = values.pop("amount", "1.00")
    with pytest.raises(InvalidInput, match=said):
        draft(shop, amount, **values)


def test_the_invoice_of_another_agreement_is_not_refunded_here(shop: Shop, team: Actor) -> None:
    other = "agmt-example0002"
    take(shop, event("A1", "SELLER_REV_SHARE", "1000.00", invoice_id=INVOICE, agreement_id=other))
    with pytest.raises(InvalidInput, match="shows no invoice"):
        draft(shop)


def by_hand(shop: Shop, amount: str, **values: object) -> None:
    with acting(pat(), reason="by hand"):
        MarketplaceRefund.objects.create(
            agreement=shop.agreement, invoice_ref=INVOICE, amount=D(amount), drafted_by_id=pat().user_id,
            requested_on=ON, reason_code="OTHER", description="x", **{"currency": "USD", **values},
        )  # fmt: skip


@pytest.mark.parametrize("door", ["shell", "owner"])
def test_by_hand_too_no_more_than_billed_is_promised(shop: Shop, door: str, as_owner: AsOwner) -> None:
    billed(shop)
    by_hand(shop, "900.00")
    with pytest.raises(DatabaseError, match="refunds of 1000.01"):
        if door == "owner":
            with as_owner():
                by_hand(shop, "100.01")
        else:
            by_hand(shop, "100.01")


def test_a_correction_of_the_bill_stops_a_draft_at_its_approval(shop: Shop) -> None:
    billed(shop)
    row = draft(shop, "1000.00")
    take(shop, event("A1", "SELLER_REV_SHARE", "900.00", invoice_id=INVOICE)
         | {"update_date": "2026-09-15T00:00:00Z"})  # fmt: skip
    with pytest.raises(DatabaseError, match="billed 900"):
        refunds.approve(row.pk, actor=abe())


def test_a_refund_has_the_currency_of_its_agreement(shop: Shop) -> None:
    billed(shop)
    with pytest.raises(DatabaseError, match="currency of its agreement"):
        by_hand(shop, "1.00", currency="EUR")


@pytest.mark.django_db(transaction=True)
def test_of_two_that_race_for_the_same_money_one_gets_it(live_shop: Shop) -> None:
    billed(live_shop)
    who, together, said = pat(), threading.Barrier(2), []

    def one() -> None:
        try:
            together.wait()
            draft(live_shop, "600.00", actor=who)
            said.append("drafted")
        except DomainError as problem:
            said.append(type(problem).__name__)
        finally:
            connection.close()

    def two() -> None:
        try:
            together.wait()
            with acting(who, reason="by hand"):
                MarketplaceRefund.objects.create(
                    agreement=live_shop.agreement, invoice_ref=INVOICE, amount=D(600), currency="USD",
                    drafted_by_id=who.user_id, requested_on=ON, reason_code="OTHER", description="x",
                )  # fmt: skip
            said.append("drafted")
        except DatabaseError:
            said.append("DatabaseError")
        finally:
            connection.close()

    threads = [threading.Thread(target=target) for target in (one, two)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(said)[1] == "drafted"
    assert sorted(said)[0] in ("DatabaseError", "InvalidInput")
    assert MarketplaceRefund.objects.count() == 1


# Approval.


def test_a_small_one_is_approved_by_a_second_person(shop: Shop) -> None:
    billed(shop)
    row = draft(shop, "1000.00")
    with pytest.raises(NotAuthorised):
        refunds.approve(row.pk, actor=pat())
    done = refunds.approve(row.pk, actor=abe())
    assert (done.state, done.approved_by_id) == ("approved", abe().user_id)
    immediately()
    with pytest.raises(Conflict):
        refunds.approve(row.pk, actor=abe())


@pytest.mark.parametrize(
    ("amount", "requested_on", "steps"),
    [
        ("1000.01", ON, ["approver"]),
        ("25000.00", ON, ["approver"]),
        ("25000.01", ON, ["approver", "controller"]),
        ("10.00", dt.date(2026, 11, 2), ["approver", "controller"]),  # 61 days after 2 September
        ("10.00", dt.date(2026, 11, 1), []),  # 60 days
    ],
)
def test_who_has_to_agree_depends_on_the_amount_and_the_age(
    shop: Shop, amount: str, requested_on: dt.date, steps: list[str]
) -> None:
    billed(shop, "30000.00")
    row = draft(shop, amount, requested_on=requested_on)
    people = {"approver": abe(), "controller": person("carol", "controller")}
    if not steps:
        assert refunds.approve(row.pk, actor=abe()).state == "approved"
        return
    with pytest.raises(Conflict) as refused:
        refunds.approve(row.pk, actor=abe())
    assert refused.value.code == "approval_required"
    request = refunds.ask(row.pk, actor=pat(), reason="Agreed with the buyer")
    assert [step.code for step in request.steps.order_by("position")] == steps
    with pytest.raises(NotAuthorised):
        approvals.approve(request.pk, actor=pat(), reason="My own")
    for step in steps:
        approvals.approve(request.pk, actor=people[step], reason="Seen")
    row.refresh_from_db()
    assert (row.state, row.approved_by_id) == ("approved", abe().user_id)
    immediately()


@pytest.mark.parametrize("door", ["shell", "superuser", "owner"])
def test_by_hand_no_large_refund_is_approved(shop: Shop, door: str, as_owner: AsOwner) -> None:
    billed(shop, "5000.00")
    row = draft(shop, "5000.00")
    who = abe()
    if door == "superuser":
        who = Actor.of(make_user("eve", "approver", "controller", superuser=True, excused=True))

    def attack() -> None:
        MarketplaceRefund.objects.filter(pk=row.pk).update(
            state="approved", approved_by_id=who.user_id, approved_at=clock.now()
        )
        immediately()

    with pytest.raises(DatabaseError, match="needs 1 approval"), acting(who, reason="shortcut"):
        if door == "owner":
            with as_owner():
                attack()
        else:
            attack()


def test_by_hand_nobody_approves_their_own(shop: Shop) -> None:
    billed(shop)
    row = draft(shop)
    for actor, signer, refusal in (
        (pat(), abe(), "nobody signs for somebody else"),
        (abe(), pat(), "approved_by_another"),
        (pat(), pat(), "approved_by_another"),
    ):
        with pytest.raises((DatabaseError, NotAuthorised), match=refusal), acting(actor, reason="shortcut"):
            MarketplaceRefund.objects.filter(pk=row.pk).update(
                state="approved", approved_by_id=signer.user_id, approved_at=clock.now()
            )


# The file.


def test_the_file_has_the_columns_of_the_tool(shop: Shop) -> None:
    billed(shop, "30000.00")
    row = submitted(shop, "1000.00")
    assert (row.state, row.file is not None) == ("submitted", True)
    assert row.file is not None
    assert bytes(row.file.document.content).decode().splitlines() == [
        "seller_id,aws_account_id,invoice_id,product_code,month_id,refund_amount,agreement_id",
        f'{SELLER_ACCOUNT},000000000001,{INVOICE},{PRODUCT_ID},26-Sep,"$1,000.00",agmt-example0001',
    ]


def test_a_refund_stands_in_one_file(shop: Shop) -> None:
    billed(shop)
    row = submitted(shop)
    with pytest.raises(Conflict):
        refund_files.submit(row.pk, actor=pat())
    with pytest.raises(Conflict):
        refunds.cancel(row.pk, actor=pat(), reason="Too late")


def test_a_second_refund_of_an_invoice_waits_until_aws_has_forgotten_the_first(shop: Shop) -> None:
    billed(shop)
    submitted(shop)
    second = refunds.approve(draft(shop, "50.00").pk, actor=abe())
    with pytest.raises(Conflict, match="earlier refund of the same invoice"):
        refund_files.submit_many([second.pk], actor=pat(), as_of=hour(10, 19, 59, month=9))
    assert refund_files.submit_many([second.pk], actor=pat(), as_of=hour(10, 20, 1, month=9))


def test_two_refunds_of_one_invoice_are_not_in_one_file(shop: Shop) -> None:
    billed(shop)
    rows = [refunds.approve(draft(shop, amount).pk, actor=abe()) for amount in ("50.00", "60.00")]
    with pytest.raises(Conflict, match="earlier refund of the same invoice"):
        refund_files.submit_many([row.pk for row in rows], actor=pat())
    assert {row.state for row in MarketplaceRefund.objects.all()} == {"approved"}


def answer(amount: str, status: str, request_id: str = "", message: str = "") -> str:
    return (
        ",".join(refund_file.ANSWER_COLUMNS)
        + f"\n2026-09-10T13:00:00.1,1,agmt-example0001,{INVOICE},{amount},{status},{request_id},{message}\n"
    )


def test_the_answer_is_read_in_once(shop: Shop) -> None:
    billed(shop)
    row = submitted(shop)
    first = refund_files.read_answers(answer("100.00", "COMPLETED", "ba-1"), actor=pat())
    again = refund_files.read_answers(answer("100.00", "COMPLETED", "ba-1"), actor=pat())
    row.refresh_from_db()
    assert (first.completed, again.completed, again.unchanged) == (1, 0, 1)
    assert (row.state, row.adjustment_ref) == ("submitted", "ba-1")
    with pytest.raises(Conflict, match="AWS carried it out"):
        refund_files.reject(row.pk, actor=pat(), reason="No")


def test_what_aws_refuses_is_rejected_with_its_words(shop: Shop) -> None:
    billed(shop)
    row = submitted(shop)
    said = answer("100.00", "VALIDATION_FAILED", message="Invoice not found")
    assert refund_files.read_answers(said, actor=pat()).rejected == 1
    assert refund_files.read_answers(said, actor=pat()).unchanged == 1
    row.refresh_from_db()
    assert (row.state, row.answer) == ("rejected", "Invoice not found")


def test_an_answer_with_the_request_of_another_gave_nothing(shop: Shop) -> None:
    """AWS's tool names a request by agreement and invoice: a second one gets the first one's id."""
    billed(shop)
    first = submitted(shop)
    refund_files.read_answers(answer("100.00", "COMPLETED", "ba-1"), actor=pat())
    second = refunds.approve(draft(shop, "50.00").pk, actor=abe())
    refund_files.submit_many([second.pk], actor=pat(), as_of=hour(11, 12, month=9))
    assert refund_files.read_answers(answer("50.00", "COMPLETED", "ba-1"), actor=pat()).rejected == 1
    assert refund_files.read_answers(answer("50.00", "COMPLETED", "ba-1"), actor=pat()).unchanged == 1
    second.refresh_from_db()
    assert (second.state, second.answer) == ("rejected", f"Answered with {first}, which it is not")


def test_the_feed_may_come_before_the_answer(shop: Shop) -> None:
    billed(shop)
    row = submitted(shop)
    given(shop, "100.00")
    run(shop, 21)
    refused = refund_files.read_answers(answer("100.00", "VALIDATION_FAILED", message="No"), actor=pat())
    assert (refused.rejected, len(refused.unknown)) == (0, 1)
    assert refund_files.read_answers(answer("100.00", "COMPLETED", "ba-1"), actor=pat()).completed == 1
    row.refresh_from_db()
    assert (row.state, row.adjustment_ref) == ("confirmed", "ba-1")


def test_an_answer_that_is_none_of_ours_is_named(shop: Shop) -> None:
    billed(shop)
    submitted(shop)
    read = refund_files.read_answers(answer("99.00", "COMPLETED", "ba-9"), actor=pat())
    assert read.unknown == [f"agmt-example0001 {INVOICE} 99.00"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("a,b\n1,2\n", "lacks the columns timestamp"),
        (answer("100.00", "PERHAPS"), "status 'PERHAPS' is not known"),
        (answer("100.00", "COMPLETED"), "contradict"),
        (answer("much", "VALIDATION_FAILED"), "not a number"),
    ],
)
def test_a_file_that_is_no_answer_is_refused(shop: Shop, content: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        refund_files.read_answers(content, actor=pat())


# The feed.


def test_the_refund_in_the_feed_confirms_the_request(shop: Shop) -> None:
    billed(shop)
    row = submitted(shop)
    given(shop, "100.00")
    for _ in range(2):
        found = run(shop, 21)
    row.refresh_from_db()
    assert (row.state, str(row.confirmed_on)) == ("confirmed", "2026-09-20")
    assert RefundLine.objects.get().billing_event_id == "R1"
    assert found == {"REFUND_UNBOOKED": D("100.00")}  # our own books still show the sale
    assert refundable(shop.agreement.pk, INVOICE).left == D(900)


def test_a_refund_that_aws_spread_over_the_lines_is_one(shop: Shop) -> None:
    billed(shop, "600.00")
    billed(shop, "400.00", number=2)
    row = submitted(shop, "1000.00")
    given(shop, "600.00", "R1", "A1")
    given(shop, "400.00", "R2", "A2")
    found = run(shop, 21)
    row.refresh_from_db()
    assert (row.state, row.lines.count()) == ("confirmed", 2)
    assert "REFUND_UNKNOWN" not in found


def test_a_refund_nobody_asked_for_is_a_break(shop: Shop) -> None:
    billed(shop)
    given(shop, "250.00")
    assert run(shop, 21) == {"REFUND_UNKNOWN": D("250.00"), "REFUND_UNBOOKED": D("250.00")}


def test_a_refund_of_another_amount_is_not_ours(shop: Shop) -> None:
    billed(shop)
    row = submitted(shop)
    given(shop, "99.99")
    assert run(shop, 20) == {"REFUND_UNKNOWN": D("99.99"), "REFUND_UNBOOKED": D("99.99")}
    row.refresh_from_db()
    assert row.state == "submitted"


def test_a_request_without_a_refund_is_a_break_after_ten_days(shop: Shop) -> None:
    billed(shop)
    submitted(shop)  # on 10 September, 12:00
    assert run(shop, 20) == {}
    assert run(shop, 21) == {"REFUND_MISSING": D("100.00")}
    given(shop, "100.00", at="2026-09-22")
    assert "REFUND_MISSING" not in run(shop, 23)


def test_a_refund_that_aws_takes_back_from_its_feed_is_missing_again(shop: Shop) -> None:
    billed(shop)
    submitted(shop)
    given(shop, "100.00")
    run(shop, 21)
    take(shop, event("R1", "SELLER_REV_SHARE_REFUND", "-100.00", parent_billing_event_id="A1")
         | {"update_date": "2026-09-25T00:00:00Z", "delete_date": "2026-09-25T00:00:00Z"})  # fmt: skip
    assert run(shop, 26) == {"REFUND_MISSING": D("100.00")}
