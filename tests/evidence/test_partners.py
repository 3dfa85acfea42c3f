"""C-12 and C-12b: what was done as it should leaves no exception, what was forced is found."""

from __future__ import annotations

import pytest
from django.db import connection

from o2c.actor import acting
from o2c.evidence.pack import ask, reperform
from o2c.evidence.registry import control
from partners.services import refunds
from tests.evidence.planting import change
from tests.evidence.test_evidence import today
from tests.factories.partners import Shop, make_shop, partner_team
from tests.partners.test_banks import AsOwner, changed
from tests.partners.test_refunds import abe, billed, draft

TABLE = "partners_marketplacerefund"

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop(db: None) -> Shop:
    return make_shop(partner_team())


def exceptions(code: str) -> list[str]:
    rows = reperform(control(code), *today()).rows
    return [str(row[1]).split(" on ")[0] for row in rows]


def population(code: str) -> int:
    return len(ask(control(code).population, *today()).rows)


def test_bank_details_changed_under_approval_are_no_exception(shop: Shop, as_owner: AsOwner) -> None:
    changed(shop.channel, as_owner)
    # The decision was moved back for its cooling-off to be over: so must be what its maker held.
    change("access_rolegrant", "valid_from = valid_from - interval '4 days'")
    change("access_historicalroleduty", "history_date = history_date - interval '4 days'")
    assert (population("C-12"), exceptions("C-12")) == (1, [])


def test_bank_details_forced_past_the_guard_are_an_exception(shop: Shop, as_owner: AsOwner) -> None:
    with acting(shop.team, reason="by force"), as_owner(), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE partners_channel DISABLE TRIGGER o2c_now_partners_bank_change")
        cursor.execute("UPDATE partners_channel SET bank_name = 'Mine'")
        cursor.execute("ALTER TABLE partners_channel ENABLE ALWAYS TRIGGER o2c_now_partners_bank_change")
    [wanted] = exceptions("C-12")
    assert population("C-12") == 1
    assert wanted.startswith('wants 1 approval(s) of step "controller" by others (partners.bank.change v')


def test_refunds_approved_by_another_are_no_exception_and_others_are(shop: Shop, as_owner: AsOwner) -> None:
    billed(shop, "5000.00")
    refunds.approve(draft(shop, "100.00").pk, actor=abe())
    assert (population("C-12b"), exceptions("C-12b")) == (1, [])
    row = draft(shop, "4000.00")
    with acting(abe(), reason="by force"), as_owner(), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(f"ALTER TABLE {TABLE} DISABLE TRIGGER o2c_now_partners_refund_approve")
        cursor.execute(
            f"UPDATE {TABLE} SET state = 'approved', approved_by_id = %s, approved_at = now() WHERE id = %s",
            [abe().user_id, row.pk],
        )
        cursor.execute(f"ALTER TABLE {TABLE} ENABLE ALWAYS TRIGGER o2c_now_partners_refund_approve")
    [wanted] = exceptions("C-12b")
    assert wanted.startswith('wants 1 approval(s) of step "approver" by others (partners.refund.approve v')
