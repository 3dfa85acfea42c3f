"""Every kernel page opens for whoever may read it, in a bounded number of queries."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

pytestmark = pytest.mark.django_db

PAGES = [
    "admin:index",
    "admin:checks",
    "admin:find",
    "admin:ledger_journal_changelist",
    "admin:ledger_account_changelist",
    "admin:ledger_accountingperiod_changelist",
    "admin:ledger_exchangerate_changelist",
    "admin:outbox_domainevent_changelist",
    "admin:runtime_job_changelist",
    "admin:access_user_changelist",
    "admin:access_role_changelist",
    "admin:console_exportevent_changelist",
]


@pytest.mark.parametrize("page", PAGES)
def test_the_auditor_opens_every_kernel_page(page: str, signed_in: Callable[..., Client]) -> None:
    client = signed_in("auditor")

    response = client.get(reverse(page))

    assert response.status_code == 200
