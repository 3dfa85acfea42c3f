"""Whoever decides must decide about what they saw."""

from __future__ import annotations

import pytest
from django.urls import reverse

from o2c.actor import Actor, acting
from o2c.ledger.models import AccountingPeriod, LegalEntity
from tests.console.conftest import SignIn

pytestmark = pytest.mark.django_db


@pytest.fixture
def period_with_button(entity: LegalEntity, monkeypatch: pytest.MonkeyPatch) -> AccountingPeriod:
    """A period whose declared transition is pressed from its page (the service belongs to an app above)."""
    from django.contrib import admin

    from o2c.console.acts import Act

    period_admin = admin.site._registry[AccountingPeriod]
    close = Act("start_close", "Start close", f"{__name__}.start_close", transition="start_close")
    monkeypatch.setattr(period_admin, "all_acts", [close])
    return AccountingPeriod.objects.get(entity=entity, name="2026-08")


def start_close(pk: int, *, actor: Actor, reason: str = "") -> AccountingPeriod:
    with acting(actor, reason=reason):
        period = AccountingPeriod.objects.select_for_update().get(pk=pk)
        period.start_close()
        period.save()
        return period


def url(period: AccountingPeriod) -> str:
    return reverse("admin:ledger_accountingperiod_act", args=(period.pk, "start_close"))


def test_a_transition_is_done_in_the_state_that_was_seen(
    signed_in: SignIn, period_with_button: AccountingPeriod
) -> None:
    client = signed_in("controller")
    assert 'name="seen_state" value="open"' in client.get(url(period_with_button)).content.decode()

    client.post(url(period_with_button), {"seen_state": "open", "reason": "August is complete"})

    period_with_button.refresh_from_db()
    assert period_with_button.state == "closing"


def test_a_dialog_from_before_somebody_elses_act_is_refused(
    signed_in: SignIn, period_with_button: AccountingPeriod, maker: Actor
) -> None:
    client = signed_in("controller")

    response = client.post(url(period_with_button), {"seen_state": "closing"})

    assert response.status_code == 422
    assert "Meanwhile somebody else moved it from closing to open" in response.content.decode()
    period_with_button.refresh_from_db()
    assert period_with_button.state == "open"


def test_the_wrong_state_is_a_reason_on_the_button(
    signed_in: SignIn, period_with_button: AccountingPeriod, maker: Actor
) -> None:
    start_close(period_with_button.pk, actor=maker)
    client = signed_in("controller")

    page = client.get(
        reverse("admin:ledger_accountingperiod_change", args=(period_with_button.pk,))
    ).content.decode()

    assert "needs the state open, and it is closing" in page
