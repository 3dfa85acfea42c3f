"""Past every service: with the rights of the product, and as the owner of the tables."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from decimal import Decimal

import pytest
from django.db import DatabaseError, connection, transaction

from billing.models import Receipt, Refund
from o2c.actor import Actor, acting
from o2c.errors import NotAuthorised
from orders.models import Customer
from tests.factories.billing import Team, person
from tests.factories.refunds import draft, drafter, fail, overpaid, pay, release, releaser

D = Decimal
RELEASE = (
    "UPDATE billing_refund SET state = 'released', released_at = now(), released_by_id = o2c_actor()"
    " WHERE id = {pk}"
)
COUNT = (
    "INSERT INTO billing_application (kind, receipt_id, refund_id, amount, applied_on, reason_code, note,"
    " matched_by, functional_difference) SELECT 'refund', receipt_id, id, {amount}, refund_on, '', '',"
    " 'person', 0 FROM billing_refund WHERE id = {pk}"
)
AsOwner = Callable[[], AbstractContextManager[None]]


@pytest.fixture
def receipt(team: Team, customer: Customer) -> Receipt:
    return overpaid(team, customer, "500.00")


def run(actor: Actor, sql: str) -> None:
    """One statement, and what waits for the commit."""
    with acting(actor, reason="by hand"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")


def refused(actor: Actor, sql: str, text: str) -> None:
    with pytest.raises((DatabaseError, NotAuthorised), match=text):
        run(actor, sql)


@pytest.mark.parametrize(
    ("sql", "text"),
    [
        ("UPDATE billing_refund SET amount = 300 WHERE id = {pk}", "released"),
        ("UPDATE billing_refund SET payee_account = 'enc:x:y' WHERE id = {pk}", "released"),
        ("UPDATE billing_refund SET receipt_id = NULL WHERE id = {pk}", "immutable"),
        ("UPDATE billing_refund SET state = 'draft' WHERE id = {pk}", "state|released"),
        ("UPDATE billing_refund SET state = 'cancelled' WHERE id = {pk}", "state|released"),
        ("UPDATE billing_refund SET state = 'paid' WHERE id = {pk}", "billing_refund_paid_with_its_day"),
        ("DELETE FROM billing_refund WHERE id = {pk}", "deleted|DELETE|permission"),
        ("UPDATE billing_receipt SET applied = 0 WHERE id = {source}", "sum of the applications"),
        ("DELETE FROM billing_application WHERE refund_id = {pk}", "fact|append|permission|never"),
        (COUNT.replace("{amount}", "amount"), "is released, and 400"),
        (COUNT.replace("{amount}", "-amount"), "billing_application_sign"),
    ],
)
@pytest.mark.parametrize("owner", [False, True], ids=["as the product", "as the owner"])
def test_a_released_refund_and_its_count_stand(
    team: Team, receipt: Receipt, as_owner: AsOwner, sql: str, text: str, owner: bool
) -> None:
    refund = release(team, draft(team, receipt, "200.00"))
    statement = sql.replace("{pk}", str(refund.pk)).replace("{source}", str(receipt.pk))
    if owner:
        with as_owner():
            refused(releaser(), statement, text)
    else:
        refused(releaser(), statement, text)


def test_whoever_drafted_releases_by_no_door(team: Team, receipt: Receipt) -> None:
    refund = draft(team, receipt, "200.00")
    refused(drafter(), RELEASE.format(pk=refund.pk), "S45|second_person")
    refused(
        drafter(),
        RELEASE.format(pk=refund.pk).replace("o2c_actor()", str(releaser().user_id)),
        "nobody signs for somebody else",
    )


def test_whoever_changed_the_draft_releases_by_no_door(team: Team, receipt: Receipt) -> None:
    refund = draft(team, receipt, "200.00")
    last = person("amy", "approver")
    run(last, f"UPDATE billing_refund SET payee_name = 'Somebody' WHERE id = {refund.pk}")
    refused(last, RELEASE.format(pk=refund.pk), "S45")


def test_whoever_recorded_or_applied_the_receipt_does_not_release(team: Team, customer: Customer) -> None:
    """S22 and S18, by the lineage of the refund."""
    clerk = Actor(team.cash.user_id, team.cash.label)
    receipt = overpaid(team, customer, "500.00")
    with acting(Actor.installer(), reason="test set-up"), connection.cursor() as cursor:
        cursor.execute("SELECT history_user_id FROM billing_historicalreceipt WHERE id = %s", [receipt.pk])
        (author,) = cursor.fetchone()
    refund = draft(team, receipt, "200.00")
    refused(Actor(author, "remy"), RELEASE.format(pk=refund.pk), "S22")
    assert clerk.user_id != author


def test_whoever_keeps_the_customer_does_not_draft_its_refund(team: Team, receipt: Receipt) -> None:
    """S05: the account, and what is paid to it, are two people's."""
    keeper = person("mara", "master_data")
    run(keeper, f"UPDATE orders_customer SET name = name || ' Inc' WHERE id = {receipt.customer_id}")
    refund = draft(team, receipt, "200.00")
    refused(keeper, f"UPDATE billing_refund SET amount = 100 WHERE id = {refund.pk}", "S05")


def test_above_the_limit_the_row_needs_its_decisions_whoever_writes_it(
    team: Team, customer: Customer, as_owner: AsOwner
) -> None:
    refund = draft(team, overpaid(team, customer, "5000.00"), "1000.01")
    refused(releaser(), RELEASE.format(pk=refund.pk), 'needs 1 approval.* of step "approver"')
    with as_owner():
        refused(releaser(), RELEASE.format(pk=refund.pk), 'needs 1 approval.* of step "approver"')
    refused(
        releaser(),
        "INSERT INTO billing_refund SELECT (r).* FROM (SELECT jsonb_populate_record(b, jsonb_build_object("
        " 'id', b.id + 1000, 'number', 'X-1', 'state', 'released', 'released_by_id', o2c_actor(),"
        f" 'released_at', now())) AS r FROM billing_refund b WHERE b.id = {refund.pk}) made",
        "state|approval|number",
    )


def test_a_refund_of_somebody_elses_receipt_is_not_counted(
    team: Team, customer: Customer, receipt: Receipt
) -> None:
    refund = draft(team, receipt, "200.00")
    with acting(Actor.installer(), reason="test set-up"):
        Receipt.objects.filter(pk=receipt.pk).update(customer=None)
    refused(releaser(), RELEASE.format(pk=refund.pk), "of one entity, customer and currency")


def test_clear_text_is_refused(team: Team, receipt: Receipt) -> None:
    refund = draft(team, receipt, "200.00")
    refused(
        drafter(),
        f"UPDATE billing_refund SET payee_account = 'DE89' WHERE id = {refund.pk}",
        "account_is_sealed",
    )
    refused(
        drafter(),
        f"UPDATE billing_receipt SET payer_account = 'enc:a:b' WHERE id = {receipt.pk}",
        "payer_account",
    )


def test_what_failed_and_what_was_paid_stay(team: Team, receipt: Receipt) -> None:
    refund = fail(pay(release(team, draft(team, receipt, "200.00"))))
    refused(
        releaser(),
        f"UPDATE billing_refund SET state = 'paid', failed_on = NULL WHERE id = {refund.pk}",
        "state",
    )
    assert Refund.objects.get().state == "failed"
