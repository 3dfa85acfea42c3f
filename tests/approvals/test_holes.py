"""What must not slip through: a false run, a stale item of a batch, a rule, a page, a message."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from django.core import mail
from django.db import DatabaseError, connection
from django.test import Client
from django.urls import reverse

from billing.models import BillRun, Invoice
from o2c import clock, outbox
from o2c.access.models import User
from o2c.actor import Actor, acting
from o2c.controls import approvals
from o2c.controls.approvals import handlers
from o2c.controls.approvals.models import Decision, Policy, Request, Round
from o2c.controls.approvals.selectors.inbox import inbox
from o2c.controls.approvals.services import deciding
from o2c.controls.approvals.services.submitting import preview
from o2c.errors import InvalidInput, NotAuthorised
from tests.approvals.conftest import ACT, draft_memo
from tests.approvals.test_attacks import immediately, post_by_hand, write_decision
from tests.approvals.test_pages import dialog, page, signed_in
from tests.factories.billing import Team, bill, person
from tests.factories.orders import line, make_order

pytestmark = pytest.mark.django_db


def test_a_run_written_into_a_credit_memo_is_no_run_that_released_it(team: Team, invoice, memo):
    make_order(team.orders, invoice.customer, [line("SEATS", 1)], state="active")
    run = bill(team, dt.date(2026, 9, 1))
    assert BillRun.objects.get(pk=run.pk).state == "posted"
    with pytest.raises(DatabaseError, match="needs 1 approval"), acting(team.controller, reason="cheat"):
        false = Invoice.objects.get(pk=memo.pk)
        false.pk, false.run_id, false._state.adding = None, run.pk, True
        with acting(team.ops, reason="cheat"):
            false.save(force_insert=True)
        post_by_hand(false, team.controller)
        immediately()


def test_a_batch_drops_what_changed_and_goes_on(team, invoice):
    memos = [draft_memo(team, invoice, amount) for amount in ("6000.00", "7000.00", "8000.00")]
    asked = [approvals.submit(ACT, memo.pk, actor=team.ops, reason="Wrong price") for memo in memos]
    with acting(team.ops, reason="Corrected"):
        memos[1].lines.update(description="Another text")
    dropped = deciding.approve_many([one.pk for one in asked], actor=team.approver, reason="Seen")
    assert list(dropped) == [asked[1].pk]
    assert "changed since" in dropped[asked[1].pk]
    assert [Request.objects.get(pk=one.pk).state for one in asked] == ["committed", "open", "committed"]


def test_the_batch_says_on_its_page_which_item_dropped_out(team, invoice):
    memos = [draft_memo(team, invoice, amount) for amount in ("6000.00", "7000.00")]
    asked = [approvals.submit(ACT, memo.pk, actor=team.ops, reason="Wrong price") for memo in memos]
    with acting(team.ops, reason="Corrected"):
        memos[1].lines.update(description="Another text")
    client = signed_in("abe")
    address = reverse("admin:approvals_request_bulk", args=("approve_alike",))
    chosen = {"_selected_action": [one.pk for one in asked], "confirm": "1", "reason": "Seen"}
    answer = client.post(address, chosen).content.decode()
    assert "1 done" in answer
    assert "1 refused" in answer
    assert "The values have changed since this was asked" in answer


def test_whoever_entered_the_order_does_not_agree_to_its_credit(team: Team, invoice):
    """S11 is about the lineage: named before anybody asks, refused in the service and by the table."""
    olga = person("olga", "approver")
    order = make_order(team.orders, invoice.customer, [line("SEATS", 1)], state="draft")
    with acting(Actor.of(User.objects.get(username="olga")), reason="Helps out"):
        order.title = "Entered by Olga"
        order.save()
    with acting(team.ops, reason="For that order"):
        memo = draft_memo(team, invoice, "20000.00")
        Invoice.objects.filter(pk=memo.pk).update(order_id=order.pk)

    _, field = preview(ACT, memo.pk, requester=User.objects.get(username="bea"))
    said = {one.name: one.why for one in field.steps["approver"].excluded}
    assert said["olga"] == "S11 keeps them from it"

    request = approvals.submit(ACT, memo.pk, actor=team.ops, reason="Wrong price")
    assert list(inbox(User.objects.get(username="olga"))) == [], "it is not offered to her either"
    assert list(inbox(User.objects.get(username="abe"))) == [request]
    address = reverse("admin:approvals_request_change", args=(request.pk,))
    assert "Not yours to decide: S11 keeps" in signed_in("olga").get(address).content.decode()
    with pytest.raises(NotAuthorised, match="S11 keeps them from it"):
        approvals.approve(request.pk, actor=olga, reason="Mine")
    with pytest.raises(DatabaseError, match="is kept from it by rule S11"):
        write_decision(request, olga)
    assert approvals.approve(request.pk, actor=team.approver, reason="Seen").state == "committed"


def test_no_policy_and_a_broken_one_are_said_on_the_page(team, memo, as_owner):
    """Nothing can be approved, and the page says why."""

    def change(sql: str) -> None:
        with acting(team.controller, reason="break"), as_owner(), connection.cursor() as cursor:
            cursor.execute("ALTER TABLE approvals_policy DISABLE TRIGGER USER")
            cursor.execute(sql, [ACT])
            cursor.execute("ALTER TABLE approvals_policy ENABLE TRIGGER USER")

    change(
        "UPDATE approvals_policy SET content = jsonb_set(content, '{bands,path}', '\"nothing\"')"
        " WHERE act = %s"
    )
    maker, approver = signed_in("bea"), signed_in("abe")
    assert "The facts do not say &#x27;nothing&#x27;" in page(approver, memo)
    assert "nothing" in dialog(maker, memo, "ask_approval", reason="Try").content.decode()

    change("UPDATE approvals_policy SET state = 'retired' WHERE act = %s")
    assert not Policy.objects.filter(act=ACT, state="active").exists()
    assert "No approval policy is in force" in page(approver, memo)
    assert "No approval policy is in force" in dialog(
        maker, memo, "ask_approval", reason="Try"
    ).content.decode()  # fmt: skip
    dialog(approver, memo, "post", reason="Try")
    assert Invoice.objects.get(pk=memo.pk).state == "draft"
    assert not Request.objects.exists()


def test_a_decision_keeps_what_was_on_the_screen_and_where_it_came_from(team, memo):
    dialog(signed_in("bea"), memo, "ask_approval", reason="Wrong price in August")
    request = Request.objects.get()
    client = signed_in("abe")
    page(client, request)
    dialog(client, request, "approve", digest=request.digest, reason="Seen")
    kept = Decision.objects.get(request=request).context
    shown = Round.objects.get(request=request)
    assert kept["address"] == "127.0.0.1"
    assert len(kept["session"]) == 16
    assert str(client.session.session_key) not in str(kept)
    assert kept["round"]["clause"] == shown.clause
    assert kept["round"]["eligible"]["approver"] == ["abe", "connie"]
    assert len(kept["round"]["screen"]) == 64


def test_messages_carry_a_link_and_no_decision(team, memo):
    request = approvals.submit(ACT, memo.pk, actor=team.ops, reason="Wrong price")
    outbox.drain()
    [message] = [one for one in mail.outbox if "abe@example.com" in one.to]
    assert f"/approvals/request/{request.pk}/change/" in message.body
    assert "decides nothing" in message.body
    assert request.digest not in message.body
    assert "approve" not in message.body.lower().replace("approver", "")


def test_a_channel_is_told_with_a_link_when_there_is_one(team, memo, settings, monkeypatch):
    sent: list[tuple[str, str]] = []
    monkeypatch.setattr(handlers, "send", lambda url, text: sent.append((url, text)))
    approvals.submit(ACT, memo.pk, actor=team.ops, reason="Secret reason")
    settings.APPROVALS_WEBHOOK_URL = "https://hooks.example/T1"
    outbox.drain()
    [(url, text)] = sent
    assert url == "https://hooks.example/T1"
    assert "/approvals/request/" in text
    assert "Secret reason" not in text


def test_a_request_is_seen_by_those_whom_it_concerns(team, memo):
    """The asker, those who may decide, and readers of approvals; nobody else, by any address."""
    request = approvals.submit(ACT, memo.pk, actor=team.ops, reason="Wrong price")
    make = person("mel", "metering")
    assert make.user_id
    address = reverse("admin:approvals_request_change", args=(request.pk,))
    assert signed_in("mel").get(address).status_code == 403
    assert Client().get(address).status_code == 302
    for name in ("bea", "abe", "connie"):
        assert signed_in(name).get(address).status_code == 200


def test_a_request_about_a_record_that_one_may_not_see_is_not_seen(team):
    from o2c.ledger.models import LegalEntity

    us = LegalEntity.objects.get(code="US")
    bank = {"bank_name": "Other", "bank_account": "99887766", "bank_routing": "", "swift": "OTHRUS33"}
    request = approvals.submit(
        "ledger.entity.change_bank", us.pk, actor=team.controller, reason="New bank", parameters=bank
    )
    person("mara", "master_data")
    client = signed_in("mara")
    address = reverse("admin:approvals_request_change", args=(request.pk,))
    assert client.get(address).status_code in (302, 404)
    listed = client.get(reverse("admin:approvals_request_changelist")).content.decode()
    assert request.number not in listed
    assert signed_in("abe").get(address).status_code == 200


def test_a_delegate_without_a_role_of_approvals_sees_the_inbox(team, memo):
    from o2c.controls.approvals.services import delegations

    request = approvals.submit(ACT, memo.pk, actor=team.ops, reason="Wrong price")
    rick = person("rick", "metering")
    now = clock.now()
    lent = delegations.give(
        delegate=User.objects.get(username="rick"), valid_from=now - dt.timedelta(minutes=1),
        valid_to=now + dt.timedelta(days=3), actor=team.approver, reason="Holiday",
    )  # fmt: skip
    delegations.accept(lent.pk, actor=rick)
    client = signed_in("rick")
    assert "Wrong price" in client.get(reverse("admin:queue", args=("approvals.inbox",))).content.decode()
    dialog(client, request, "approve", digest=request.digest, reason="For Abe")
    done = Request.objects.get(pk=request.pk)
    assert (done.state, done.amount) == ("committed", Decimal("21650.000"))


@pytest.mark.parametrize(
    ("begins", "ends", "why", "said"),
    [
        (5, 2, "Holiday", "ends after it begins"),
        (-5, -2, "Holiday", "ends in the future"),
        (0, 61, "Holiday", "at most 60 days after it begins"),
        (0, 3, " ", "says why"),
        (0, 3, "x" * 301, "at most 300 characters, these are 301"),
    ],
)
def test_what_is_no_delegation_is_said_in_words(team, begins, ends, why, said):
    from o2c.controls.approvals.services import delegations

    person("rick", "cash_receipts")
    now = clock.now()
    with pytest.raises(InvalidInput, match=said):
        delegations.give(
            delegate=User.objects.get(username="rick"), valid_from=now + dt.timedelta(days=begins),
            valid_to=now + dt.timedelta(days=ends), actor=team.approver, reason=why,
        )  # fmt: skip


def test_words_are_kept_whole_or_refused(team, memo):
    with pytest.raises(
        InvalidInput, match="At most 1,000 characters are kept with a request, these are 1,001"
    ):
        approvals.submit(ACT, memo.pk, actor=team.ops, reason="x" * 1001)
    request = approvals.submit(ACT, memo.pk, actor=team.ops, reason="x" * 1000)
    assert len(request.reason) == 1000
    with pytest.raises(InvalidInput, match="these are 1,001"):
        deciding.reject(request.pk, actor=team.approver, reason="y" * 1001)
    request.refresh_from_db()
    assert (request.state, request.decisions.count()) == ("open", 0)
    deciding.ask(request.pk, actor=team.approver, reason="z" * 1000)
    assert request.decisions.get().comment == "z" * 1000
