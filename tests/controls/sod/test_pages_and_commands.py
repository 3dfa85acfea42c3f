"""What a grant would allow, and who did both: on their pages and by command, with good and bad input."""

from __future__ import annotations

import json

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from o2c.access.models import RoleGrant
from o2c.actor import Actor, acting
from o2c.controls.sod.models import SodRule
from orders.models import Customer
from tests.factories.access import PASSWORD, change_rules, make_user
from tests.factories.orders import line, make_catalogue, make_customer, make_order, orders_team

pytestmark = pytest.mark.django_db


def page(client: Client, name: str, **values: str) -> str:
    answer = client.get(reverse(f"admin:{name}"), values)
    assert answer.status_code == 200
    return str(answer.content.decode())


@pytest.fixture
def auditor(client: Client) -> Client:
    make_user("vera", "auditor")
    client.login(username="vera", password=PASSWORD)
    return client


def test_the_page_says_what_a_grant_would_allow(auditor: Client) -> None:
    make_user("anna", "order_entry")
    empty = page(auditor, "sod_what_if")
    assert "Rules that it would break" not in empty
    told = page(auditor, "sod_what_if", user="anna", role="master_data")
    assert "Refused: it would break S01." in told
    assert "orders.customer.maintain" in told
    assert "No rule stands against it." in page(auditor, "sod_what_if", user="anna", role="auditor")
    assert "There is no user nobody" in page(auditor, "sod_what_if", user="nobody", role="auditor")
    assert "There is no role king" in page(auditor, "sod_what_if", user="anna", role="king")
    assert RoleGrant.objects.filter(user__username="anna").count() == 1


def test_the_pages_need_the_reading_duty(client: Client) -> None:
    make_user("nora", "cash_receipts")
    client.login(username="nora", password=PASSWORD)
    for name in ("sod_what_if", "sod_did_both"):
        assert client.get(reverse(f"admin:{name}")).status_code == 403


def entered_both() -> Customer:
    """Omar kept a customer and entered its order, while the rule was off."""
    team = orders_team()
    make_catalogue(team)
    customer = make_customer(team)
    omar = Actor.of(make_user("omar", "order_entry"))
    change_rules(SodRule.objects.filter(code="S01"), at_transaction=False)
    with acting(omar):
        Customer.objects.filter(pk=customer.pk).update(payment_terms_days=45)
    make_order(omar, customer, [line("SEATS", 5)])
    return customer


def test_the_page_names_who_did_both_with_the_records(auditor: Client) -> None:
    customer = entered_both()
    told = page(auditor, "sod_did_both")
    assert "One person did both sides on one lineage without an exception: 1 times." in told
    assert "omar" in told
    assert reverse("admin:orders_customer_change", args=(customer.pk,)) in told
    later = page(auditor, "sod_did_both", since="2999-01-01")
    assert "Nobody did both sides on one lineage without an exception." in later
    assert "is no date; shown since" in page(auditor, "sod_did_both", since="yesterday")


def test_the_command_names_them_too(capsys: pytest.CaptureFixture[str]) -> None:
    customer = entered_both()
    with pytest.raises(SystemExit) as stopped:
        call_command("sod", "actual", "--since", "2026-01-01", "--json")
    assert stopped.value.code == 2
    told = json.loads(capsys.readouterr().out)
    mine = [row for row in told["violations"] if row["username"] == "omar"]
    assert {row["rule"] for row in mine} == {"S01"}
    assert f"orders.customer:{customer.pk}" in {row["first_record"] for row in mine}
    call_command("sod", "actual", "--since", "2999-01-01")
    assert "0 on one lineage" in capsys.readouterr().out
    with pytest.raises(CommandError, match="'soon' is no date like 2026-08-31"):
        call_command("sod", "actual", "--since", "soon")


def test_simulate_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    make_user("anna", "order_entry")
    call_command("sod", "simulate", "--user", "anna", "--add", "auditor")
    assert "no rule stands against it" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        call_command("sod", "simulate", "--user", "anna", "--add", "master_data")
    told = capsys.readouterr().out
    assert "+ orders.customer.maintain: " in told
    assert "breaks S01 H Maintain customer master against" in told
    for wrong, text in (
        (("--user", "nobody", "--add", "auditor"), "no user nobody"),
        (("--user", "anna", "--add", "king"), "no role king"),
    ):
        with pytest.raises(CommandError, match=text):
            call_command("sod", "simulate", *wrong)


def test_commands_that_write_name_who_asks(capsys: pytest.CaptureFixture[str]) -> None:
    make_user("ada", "admin")
    make_user("anna", "order_entry")
    call_command("sod", "review", "2026 Q4", "--by", "ada", "--reason", "quarter")
    assert "sealed" in capsys.readouterr().out
    for wrong, text in (
        (("review", "2026 Q4", "--by", "ada", "--reason", "again"), "a review of this name already"),
        (("review", "Q1", "--by", "anna", "--reason", "mine"), "does not hold the duty"),
        (("review", "Q1", "--by", "nobody", "--reason", "mine"), "no user nobody"),
        (("except", "anna", "S99", "--mitigation", "m", "--by", "ada", "--reason", "r"), "no rule S99"),
        (
            ("except", "anna", "S10", "--mitigation", "m", "--by", "ada", "--reason", "r"),
            "knows no exception",
        ),
    ):
        with pytest.raises(CommandError, match=text):
            call_command("sod", *wrong)
