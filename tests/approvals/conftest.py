"""A posted invoice and a draft credit memo of a size that needs approval; the people of billing."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

from billing.models import Invoice
from billing.services import credit_memos
from tests.factories.billing import Team, billing_team, books, person, post_invoice
from tests.factories.orders import make_customer

ON = dt.date(2026, 9, 10)
ACT = "billing.credit.post"


@pytest.fixture
def team(db) -> Team:
    found = billing_team()
    books(found)
    return found


@pytest.fixture
def invoice(team: Team) -> Invoice:
    return post_invoice(team, make_customer(team.orders), "100000.00")


@pytest.fixture
def memo(team: Team, invoice: Invoice) -> Invoice:
    return draft_memo(team, invoice, "20000.00")


@pytest.fixture
def second(team: Team):
    """Another approver."""
    return person("amy", "approver")


def draft_memo(team: Team, invoice: Invoice, net: str) -> Invoice:
    line = invoice.lines.get()
    return credit_memos.draft(
        invoice.pk,
        reason_code="billing_error",
        issue_date=ON,
        lines={line.pk: Decimal(net)},
        actor=team.ops,
        reason="Agreed with the customer",
    )
