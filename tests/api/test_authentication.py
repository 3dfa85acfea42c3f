"""Who is calling: tokens, their end, their scopes, and the person on whose behalf."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from o2c import clock
from o2c.access.models import AuthToken, Role, TokenUse, User
from o2c.access.services import tokens
from o2c.actor import Actor, acting
from o2c.errors import InvalidInput
from tests.api.conftest import Caller
from tests.factories.access import make_account, make_token, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.api.probe")]
DESK = {"code": "desk", "name": "Desk"}


def test_a_token_says_who_calls(caller: Caller) -> None:
    answer = caller.get("/api/v1/me")
    assert answer.status_code == 200
    assert answer.json()["username"] == "robot"
    assert answer.json()["kind"] == "service"
    assert answer.json()["owner"] == "platform-owner"
    assert answer.json()["duties"] == ["access.read", "access.role.maintain"]


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer nonsense", "Bearer o2c_00000000_x", "Basic cm9ib3Q6eA=="]
)
def test_without_a_good_token_nobody_comes_in(db: None, header: str) -> None:
    answer = Caller().get("/api/v1/roles", HTTP_AUTHORIZATION=header)
    assert answer.status_code == 401
    assert answer["Content-Type"] == "application/problem+json"
    assert answer["WWW-Authenticate"] == 'Bearer realm="o2c"'
    assert answer.json()["code"] == "not_authenticated"


def test_the_right_prefix_with_another_secret_is_refused(caller: Caller) -> None:
    prefix = AuthToken.objects.get(account__username="robot").prefix
    answer = Caller(f"o2c_{prefix}_{'a' * 43}").get("/api/v1/me")
    assert answer.status_code == 401


def test_a_revoked_token_stops_at_once(caller: Caller) -> None:
    token = AuthToken.objects.get(account__username="robot")
    tokens.revoke(token.pk, actor=Actor.of(User.objects.get(username="token-issuer")), reason="leaked")
    assert caller.get("/api/v1/me").status_code == 401


def test_a_token_past_its_end_is_refused(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    later = clock.now() + dt.timedelta(days=31)
    monkeypatch.setattr(clock, "now", lambda: later)
    assert caller.get("/api/v1/me").status_code == 401


def test_a_disabled_account_is_refused(caller: Caller) -> None:
    with acting(Actor.installer()):
        User.objects.filter(username="robot").update(is_active=False)
    assert caller.get("/api/v1/me").status_code == 401


def test_only_a_hash_of_the_token_is_stored(caller: Caller) -> None:
    secret = make_token(User.objects.get(username="robot"), ["access.read"])
    row = AuthToken.objects.get(prefix=secret.split("_")[1])
    assert secret not in str(row.__dict__)
    assert row.digest == tokens.digest(secret)


def test_scopes_narrow_the_account(db: None) -> None:
    reader = Caller(make_token(make_account("reader", "admin"), ["access.read"]))
    assert reader.get("/api/v1/roles").status_code == 200
    answer = reader.post("/api/v1/roles", {"code": "x", "name": "X"})
    assert answer.status_code == 403
    assert answer.json()["code"] == "duty_missing"
    assert "does not cover the duty 'access.role.maintain'" in answer.json()["detail"]


def test_a_scope_that_the_account_lost_is_worth_nothing(caller: Caller) -> None:
    with acting(Actor.installer()):
        User.objects.get(username="robot").grants.update(valid_to=clock.now())
    assert caller.get("/api/v1/roles").status_code == 403


def test_a_token_never_covers_more_than_its_account(db: None) -> None:
    account = make_account("narrow", "metering")
    with pytest.raises(InvalidInput, match=r"does not hold access\.role\.maintain"):
        make_token(account, ["access.role.maintain"])


def test_a_token_lives_a_year_at_most(db: None) -> None:
    with pytest.raises(InvalidInput, match="within a year"):
        make_token(make_account("robot", "admin"), ["access.read"], days=400)


@pytest.mark.parametrize("username", ["system", "scheduler"])
def test_the_accounts_of_the_product_itself_take_no_tokens(db: None, username: str) -> None:
    with pytest.raises(InvalidInput, match="acts inside the product only"):
        make_token(User.objects.get(username=username), ["access.read"])


def test_a_person_has_no_tokens(db: None) -> None:
    with pytest.raises(InvalidInput, match="Only a service account has tokens"):
        make_token(make_user("anna", "admin"), ["access.read"])


def test_what_an_account_writes_carries_its_name_reason_and_request(caller: Caller) -> None:
    headers = {"X-Request-ID": "crm-2026-11-20-0001", "X-Reason": "signed deal"}
    answer = caller.post("/api/v1/roles", DESK, headers=headers)
    assert answer.status_code == 201
    assert answer["X-Request-ID"] == "crm-2026-11-20-0001"
    written = Role.objects.get(code="desk").history.get()
    assert written.history_actor == "robot"
    assert written.history_change_reason == "signed deal"
    assert written.history_request_id == "crm-2026-11-20-0001"


def test_on_behalf_of_a_person(caller: Caller) -> None:
    anna = make_user("anna", "admin")
    answer = caller.post("/api/v1/roles", DESK, headers={"X-On-Behalf-Of": "anna"})
    assert answer.status_code == 201
    written = Role.objects.get(code="desk").history.get()
    assert (written.history_actor, written.history_on_behalf_of_id) == ("robot for anna", anna.pk)


def test_an_account_lends_nobody_a_duty(caller: Caller) -> None:
    make_user("bert", "auditor")
    answer = caller.post("/api/v1/roles", DESK, headers={"X-On-Behalf-Of": "bert"})
    assert answer.status_code == 403
    assert "on whose behalf robot for bert acts does not hold" in answer.json()["detail"]


@pytest.mark.parametrize("name", ["nobody", "robot"])
def test_on_behalf_of_nobody(caller: Caller, name: str) -> None:
    answer = caller.get("/api/v1/me", headers={"X-On-Behalf-Of": name})
    assert (answer.status_code, answer.json()["code"]) == (403, "unknown_person")


def test_last_use_is_noted_once_a_minute(caller: Caller) -> None:
    caller.get("/api/v1/me")
    first = TokenUse.objects.get().last_used_at
    caller.get("/api/v1/me")
    assert TokenUse.objects.get().last_used_at == first


def test_a_session_works_with_the_duties_of_the_person(db: None) -> None:
    browser = Caller()
    browser.force_login(make_user("anna", "auditor"), backend="o2c.access.backends.DutyBackend")
    assert browser.get("/api/v1/roles").status_code == 200
    assert browser.post("/api/v1/roles", {"code": "x", "name": "X"}).status_code == 403


def test_a_session_writes_only_with_its_csrf_token(db: None) -> None:
    browser = Caller()
    browser.handler.enforce_csrf_checks = True
    browser.force_login(make_user("anna", "admin"), backend="o2c.access.backends.DutyBackend")
    answer = browser.post("/api/v1/roles", DESK)
    assert (answer.status_code, answer["Content-Type"]) == (403, "application/problem+json")
    assert "CSRF" in answer.json()["detail"]
    assert not Role.objects.filter(code="desk").exists()


def test_guessing_tokens_is_slowed_down(db: None) -> None:
    statuses = [Caller("o2c_00000000_x").get("/api/v1/me").status_code for _ in range(32)]
    assert statuses[:30] == [401] * 30
    assert statuses[-1] == 429


def test_a_caller_has_a_number_of_calls_a_minute(caller: Caller, settings: Any) -> None:
    settings.API_CALLS_PER_MINUTE = 3
    statuses = [caller.get("/api/v1/me").status_code for _ in range(3)]
    answer = caller.get("/api/v1/me")
    assert statuses == [200, 200, 200]
    assert answer.status_code == 429
    assert answer.json()["code"] == "rate_limited"
    assert 1 <= answer.json()["retry_after_s"] <= 60
    assert answer["Retry-After"] == str(answer.json()["retry_after_s"])


def test_what_a_call_costs_in_queries(caller: Caller, django_assert_num_queries: Any) -> None:
    caller.get("/api/v1/me")
    with django_assert_num_queries(3):  # token, duties, the owner's name
        caller.get("/api/v1/me")
