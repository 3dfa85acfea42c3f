"""Bank details of a channel: changed by two people after three days, hidden, and compared with our bank."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from contextlib import AbstractContextManager
from decimal import Decimal

import pytest
from django.db import DatabaseError, connection

from o2c import clock
from o2c.access.models import ReadEvent, Role, RoleGrant, User
from o2c.access.services.accounts import PLACEHOLDER_OWNER
from o2c.access.system import system_actor
from o2c.actor import Actor, acting
from o2c.controls import approvals
from o2c.controls.approvals.services import carrying, timers
from o2c.errors import Conflict, InvalidInput, NotAuthorised
from o2c.vault import is_sealed, opened
from partners.domain.capability import AWS_MARKETPLACE
from partners.models import BankCredit, Break, Channel, MarketplaceRefund
from partners.services import banks, channels, reconcile, refunds
from tests.database import immediately
from tests.factories.access import excuse, make_role, make_user
from tests.factories.orders import make_entity
from tests.factories.partners import SELLER_ACCOUNT, Shop, hour, make_shop
from tests.partners.test_feeds import event
from tests.partners.test_refunds import billed, draft, pat, person, take

pytestmark = pytest.mark.django_db

D = Decimal
AsOwner = Callable[[], AbstractContextManager[None]]
ACT = "partners.bank.change"
ACCOUNT = "4401928837"
BANK = {"bank_name": "JPMorgan", "bank_account": ACCOUNT, "bank_routing": "021000021", "swift": "CHASUS33"}


def carol() -> Actor:
    return person("carol", "controller")


def later(as_owner: AsOwner, hours: int) -> None:
    """As if the decisions had been made that many hours ago: only the owner of the tables can do that."""
    immediately()
    with as_owner(), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE approvals_decision DISABLE TRIGGER o2c_append_only")
        cursor.execute(f"UPDATE approvals_decision SET recorded_at = recorded_at - interval '{hours} hours'")
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE approvals_decision ENABLE ALWAYS TRIGGER o2c_append_only")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")


def changed(channel: Channel, as_owner: AsOwner, by: Actor | None = None) -> None:
    decides = carol()
    request = approvals.submit(ACT, channel.pk, actor=by or pat(), reason="Told us", parameters=BANK)
    approvals.approve(request.pk, actor=decides, reason="Called them back")
    later(as_owner, 73)
    assert timers.tick(actor=system_actor(), now=clock.now()).carried == 1
    immediately()


def test_bank_details_change_three_days_after_the_controller_agreed(shop: Shop, as_owner: AsOwner) -> None:
    with pytest.raises(Conflict, match="needs approval by Controller"):
        banks.change(shop.channel.pk, actor=pat(), reason="New bank", **BANK)
    carol()
    request = approvals.submit(ACT, shop.channel.pk, actor=pat(), reason="New bank", parameters=BANK)
    assert ACCOUNT not in str(request.parameters) + str(request.facts) + str(request.effects)
    with pytest.raises(NotAuthorised):
        approvals.approve(request.pk, actor=pat(), reason="My own")
    with pytest.raises(NotAuthorised):
        approvals.approve(request.pk, actor=person("abe", "approver"), reason="Not mine")
    done = approvals.approve(request.pk, actor=carol(), reason="Called them back")
    assert "cools off until" in done.problem
    later(as_owner, 71)
    with pytest.raises(Conflict, match="cools off"):
        carrying.carry_out(request.pk, actor=pat())
    assert not Channel.objects.get(pk=shop.channel.pk).bank_account

    later(as_owner, 2)
    assert timers.tick(actor=system_actor(), now=clock.now()).carried == 1
    held = Channel.objects.get(pk=shop.channel.pk)
    assert is_sealed(held.bank_account)
    assert (opened(held.bank_account), opened(held.bank_routing)) == (ACCOUNT, "021000021")
    assert held.history.latest().history_user_id == pat().user_id
    immediately()


@pytest.mark.parametrize("door", ["shell", "superuser", "owner"])
def test_by_hand_no_bank_details_change(shop: Shop, door: str, as_owner: AsOwner) -> None:
    who = carol()
    if door == "superuser":
        who = Actor.of(make_user("eve", "partner_ops", "controller", superuser=True, excused=True))

    def attack() -> None:
        Channel.objects.filter(pk=shop.channel.pk).update(bank_account="99887766")
        immediately()

    with pytest.raises(DatabaseError, match="needs 1 approval"), acting(who, reason="cheat"):
        if door == "owner":
            with as_owner():
                attack()
        else:
            attack()


def test_a_new_channel_has_no_bank_details(shop: Shop) -> None:
    with pytest.raises(DatabaseError, match="A new channel has no bank details"):
        with acting(shop.team, reason="cheat"):
            Channel.objects.create(
                code="x", name="X", entity=shop.channel.entity, capability=AWS_MARKETPLACE, bank_account="1"
            )


def test_the_table_takes_no_clear_text(shop: Shop) -> None:
    with pytest.raises(DatabaseError, match="bank_account_is_sealed"), acting(carol(), reason="x"):
        with connection.cursor() as cursor:
            cursor.execute("UPDATE partners_channel SET bank_account = '4401928837'")


def test_who_looks_at_bank_details_says_why_and_is_recorded(shop: Shop, as_owner: AsOwner) -> None:
    changed(shop.channel, as_owner)
    with pytest.raises(NotAuthorised):
        banks.reveal(shop.channel.pk, actor=pat(), reason="Curious")
    with pytest.raises(InvalidInput, match="Say why"):
        banks.reveal(shop.channel.pk, actor=carol(), reason=" ")
    assert banks.reveal(shop.channel.pk, actor=carol(), reason="Call back") == BANK
    read = ReadEvent.objects.latest("pk")
    assert (read.what, read.why) == ("bank details of aws", "Call back")


# S43: whoever says where a partner's money comes from or goes to releases none of it.


def give(user: User, role: Role) -> None:
    with acting(Actor.installer(), reason="test"):
        placeholder = User.objects.get(username=PLACEHOLDER_OWNER)
        RoleGrant.objects.create(user=user, role=role, granted_by=placeholder, valid_from=clock.now())


def test_nobody_is_given_both_sides(db: None) -> None:
    user = make_user("nora")
    give(user, make_role("banker", ["partners.bank.maintain"]))
    with pytest.raises(NotAuthorised, match="S43"):
        give(user, make_role("releaser", ["partners.refund.approve"]))


def moved(name: str, role: str) -> Actor:
    """Their grants end, and they get another role."""
    user = User.objects.get(username=name)
    with acting(Actor.installer(), reason="moves"):
        RoleGrant.objects.filter(user=user).update(valid_to=clock.now())
    give(user, Role.objects.get(code=role))
    return Actor.of(user)


def refund_of(shop: Shop) -> MarketplaceRefund:
    billed(shop)
    return draft(shop, actor=person("paul", "partner_ops"))


def test_within_seven_days_whoever_changed_a_bank_releases_no_refund_of_any_channel(
    shop: Shop, as_owner: AsOwner
) -> None:
    other = channels.ensure(
        "other", "Other", entity_id=shop.channel.entity_id, seller_account="1", capability=AWS_MARKETPLACE,
        actor=shop.team,
    )  # fmt: skip
    row = refund_of(shop)
    changed(other, as_owner)
    was_pat = moved("pat", "approver")
    with pytest.raises(NotAuthorised, match="S43"):
        refunds.approve(row.pk, actor=was_pat)
    assert refunds.approve(row.pk, actor=person("abe", "approver")).state == "approved"


def test_whoever_made_the_channel_releases_no_refund_of_it(team: Actor) -> None:
    """S44, on the lineage; S43 is out of the way under an exception."""
    channels.ensure_aws(entity_id=make_entity("US").pk, seller_account=SELLER_ACCOUNT, actor=pat())
    row = refund_of(make_shop(team))
    was_pat = moved("pat", "approver")
    with acting(Actor.installer(), reason="test"):
        excuse(User.objects.get(username="pat"), "S43")
    with pytest.raises(NotAuthorised, match="S44"):
        refunds.approve(row.pk, actor=was_pat)


# L9: payments and the bank.


def paid(shop: Shop, trace: str = "ACH1", amount: str = "970.00", name: str = "D1") -> None:
    """AWS says that it paid on 12 September."""
    take(
        shop,
        event(name, "DISBURSEMENT", amount, action="DISBURSED", at="2026-09-12", agreement_id="",
              bank_trace_id=trace),
    )  # fmt: skip


def received(shop: Shop, trace: str = "ACH1", amount: str = "970.00", account: str = ACCOUNT) -> BankCredit:
    return banks.record_credit(
        channel=shop.channel, bank_trace_id=trace, amount=D(amount), currency="USD",
        value_date=dt.date(2026, 9, 14), payer_account=account, actor=person("cleo", "cash_receipts"),
    )  # fmt: skip


def run(shop: Shop, day: int) -> dict[str, D]:
    channel = Channel.objects.get(pk=shop.channel.pk)
    reconcile.run(channel, as_of=hour(day, 7, month=9), actor=shop.team)
    return {row.type: row.value for row in Break.objects.filter(state__in=Break.LIVE, leg="L9")}


def test_a_payment_from_the_known_account_leaves_nothing(shop: Shop, as_owner: AsOwner) -> None:
    changed(shop.channel, as_owner)
    paid(shop)
    received(shop)
    assert run(shop, 15) == {}


def test_a_payment_from_another_account_is_a_break_that_shows_no_account(
    shop: Shop, as_owner: AsOwner
) -> None:
    changed(shop.channel, as_owner)
    paid(shop)
    received(shop, account="5550001111")
    assert run(shop, 15) == {"BANK_OTHER": D("970.00")}
    evidence = Break.objects.get(leg="L9").evidence
    assert (evidence["paid from"], evidence["known"]) == ("•••• 1111", "•••• 8837")


def test_a_payment_that_is_not_at_the_bank_is_a_break_after_five_days(shop: Shop, as_owner: AsOwner) -> None:
    changed(shop.channel, as_owner)
    paid(shop)
    assert run(shop, 17) == {}
    assert run(shop, 18) == {"BANK_MISSING": D("970.00")}
    received(shop, amount="969.00")
    assert run(shop, 18) == {"BANK_MISSING": D("1.00")}


def test_a_credit_that_no_payment_names_is_a_break_after_three_days(shop: Shop, as_owner: AsOwner) -> None:
    changed(shop.channel, as_owner)
    received(shop)  # on the 14th
    assert run(shop, 17) == {}
    assert run(shop, 18) == {"BANK_UNIDENTIFIED": D("-970.00")}


def test_before_the_account_is_known_nothing_is_compared(shop: Shop) -> None:
    paid(shop)
    received(shop, account="5550001111")
    assert run(shop, 28) == {}


def test_a_bank_credit_is_recorded_once_and_only_by_who_enters_cash(shop: Shop) -> None:
    first = received(shop)
    assert received(shop).pk == first.pk
    assert is_sealed(BankCredit.objects.get().payer_account)
    with pytest.raises(Conflict, match=r"recorded as 970.000 USD"):
        received(shop, amount="971.00")
    with pytest.raises(NotAuthorised):
        banks.record_credit(
            channel=shop.channel, bank_trace_id="X", amount=D(1), currency="USD",
            value_date=dt.date(2026, 9, 14), payer_account="1", actor=pat(),
        )  # fmt: skip
