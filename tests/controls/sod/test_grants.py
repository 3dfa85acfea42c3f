"""Nobody comes to hold both sides of a rule, by whatever door."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.urls import reverse

from o2c import clock
from o2c.access.models import Role, RoleDuty, RoleGrant, User
from o2c.access.services import accounts, grants
from o2c.access.services.accounts import PLACEHOLDER_OWNER
from o2c.actor import Actor, acting
from o2c.controls.sod import selectors
from o2c.controls.sod.declare import declared
from o2c.controls.sod.models import Denial, SodRule
from o2c.controls.sod.rules import Rule
from o2c.errors import DomainError, NotAuthorised
from tests.factories.access import PASSWORD, change_rules, excuse, make_account, make_role, make_user

pytestmark = pytest.mark.django_db

AT_GRANT = [rule for rule in selectors.live_rules() if "grant" in rule.kinds]
Door = Callable[[User, Role, User], None]


def by_service(user: User, role: Role, admin: User) -> None:
    grants.grant(user, role.code, actor=Actor.of(admin), reason="needed")


def by_shell(user: User, role: Role, admin: User) -> None:
    with acting(Actor.of(admin)):
        RoleGrant.objects.bulk_create(
            [RoleGrant(user=user, role=role, granted_by=admin, valid_from=clock.now())]
        )


def by_sql(user: User, role: Role, admin: User) -> None:
    with acting(Actor.of(admin)), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO access_rolegrant (user_id, role_id, granted_by_id, reason, valid_from)"
            " VALUES (%s, %s, %s, '', now())",
            [user.pk, role.pk, admin.pk],
        )


def one_of(rule: Rule, side: str) -> str:
    return next(d for code in getattr(rule, side) for d in sorted(declared().functions.get(code, ())))


@pytest.fixture
def admin() -> User:
    return make_user("ada", "admin")


@pytest.mark.parametrize("principal", ["plain", "superuser", "service account"])
@pytest.mark.parametrize("door", [by_service, by_shell, by_sql])
@pytest.mark.parametrize("rule", AT_GRANT, ids=lambda rule: rule.code)
def test_nobody_holds_both_sides(rule: Rule, door: Door, principal: str, admin: User) -> None:
    user = make_user("anna", superuser=principal == "superuser")
    if principal == "service account":
        user = make_account("robot", owner=make_user("olga"))
    # The table decides: only this rule is on.
    change_rules(SodRule.objects.exclude(code=rule.code), at_grant=False)
    first, second = make_role("first", [one_of(rule, "a")]), make_role("second", [one_of(rule, "b")])
    by_service(user, first, admin)
    with pytest.raises(NotAuthorised, match=f"{rule.code}: .* would hold both"):
        door(user, second, admin)
    assert not RoleGrant.objects.filter(user=user, role=second).exists()
    denial = Denial.objects.get()
    assert (denial.rule, denial.actor_id, denial.code) == (rule.code, admin.pk, "segregation")


def test_the_other_half_through_a_machine_of_ones_own_is_refused(admin: User) -> None:
    owner = make_user("olga", "master_data")
    robot = make_account("robot", owner=owner)
    with pytest.raises(NotAuthorised, match="S01: olga"):
        grants.grant(robot, "order_entry", actor=Actor.of(admin))
    other = make_account("other", owner=make_user("paul"))
    grants.grant(other, "order_entry", actor=Actor.of(admin))
    with pytest.raises(NotAuthorised, match="S01: olga"):
        accounts.change_owner(other.pk, owner=owner, actor=Actor.of(admin))


def test_a_role_does_not_grow_into_a_conflict_of_who_holds_it(admin: User) -> None:
    anna = make_user("anna", "order_entry")
    spare = make_role("spare", ["orders.quote.expire"])
    by_service(anna, spare, admin)
    with pytest.raises(NotAuthorised, match="S12: anna"), acting(Actor.of(admin)):
        RoleDuty.objects.create(role=spare, duty="billing.invoice.draft")
    with acting(Actor.of(admin)):
        RoleDuty.objects.create(role=spare, duty="orders.order.cancel")


def test_times_that_do_not_meet_are_no_conflict(admin: User) -> None:
    anna = make_user("anna")
    now, day = clock.now(), dt.timedelta(days=1)
    grants.grant(anna, "order_entry", actor=Actor.of(admin), valid_to=now + day)
    grants.grant(anna, "master_data", actor=Actor.of(admin), valid_from=now + day)
    assert selectors.conflicts([anna.pk]) == []


def test_an_exception_lets_the_grant_in(admin: User) -> None:
    anna = make_user("anna", "order_entry")
    with acting(Actor.installer()):
        excuse(anna, "S01")
    grants.grant(anna, "master_data", actor=Actor.of(admin))
    assert RoleGrant.objects.filter(user=anna).count() == 2


def test_the_shipped_accounts_stand() -> None:
    placeholder = User.objects.get(username=PLACEHOLDER_OWNER)
    everybody = User.objects.values_list("pk", flat=True)
    assert selectors.conflicts(everybody) == []
    assert placeholder.owned_accounts.count() >= 7


def test_the_page_refuses_as_the_service_does(admin: User, client: Client) -> None:
    anna = make_user("anna", "order_entry")
    client.login(username="ada", password=PASSWORD)
    role = Role.objects.get(code="master_data")
    address = reverse("admin:access_user_act", args=(anna.pk, "grant"))
    answer = client.post(address, {"role": role.pk, "reason": "needed"}, follow=True)
    assert "S01" in answer.content.decode()
    assert not RoleGrant.objects.filter(user=anna, role=role).exists()
    assert Denial.objects.get().rule == "S01"


def test_simulate_says_what_a_grant_would_allow(admin: User, capsys: pytest.CaptureFixture[str]) -> None:
    make_user("anna", "order_entry")
    with pytest.raises(SystemExit) as exit_with:
        call_command("sod", "simulate", "--user", "anna", "--add", "master_data", "--json")
    assert exit_with.value.code == 2
    told = json.loads(capsys.readouterr().out)
    assert told["duties"] == ["billing.tax.maintain", "orders.customer.maintain"]
    assert {row["rule"] for row in told["conflicts"]} == {"S01"}
    assert RoleGrant.objects.filter(user__username="anna").count() == 1
    call_command("sod", "simulate", "--user", "anna", "--add", "auditor")


def test_simulate_asks_a_fixed_number_of_queries(
    admin: User, django_assert_max_num_queries: Callable[..., object]
) -> None:
    make_user("anna", "order_entry")
    with django_assert_max_num_queries(7):  # type: ignore[attr-defined]
        selectors.simulate("anna", ["master_data", "collections"])


def test_an_unknown_role_is_named(admin: User) -> None:
    with pytest.raises(DomainError, match="no role king"):
        selectors.simulate("ada", ["king"])
