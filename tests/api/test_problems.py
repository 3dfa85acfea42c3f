"""Every refusal is problem+json, says what to do, changes nothing and tells nothing of the inside."""

from __future__ import annotations

from typing import Any

import pytest

from o2c.access.models import Role
from tests.api.conftest import Caller

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.api.probe")]


def test_all_field_errors_at_once_with_their_paths(caller: Caller) -> None:
    answer = caller.post(
        "/api/v1/roles",
        {"code": "no spaces", "lines": [{"quantity": "1", "price": "2.00"}, {"quantity": "x", "price": 2.5}]},
    )
    assert answer.status_code == 422
    assert answer["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert problem["code"] == "invalid"
    assert problem["detail"] == "4 fields can't be right; see errors."
    assert [error["field"] for error in problem["errors"]] == [
        "code",
        "name",
        "lines[1].quantity",
        "lines[1].price",
    ]
    assert "as a string" in problem["errors"][3]["detail"]


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"{", "Expecting"),
        (b'{"code": "a", "code": "b"}', "code appears twice"),
        (b'{"price": NaN}', "NaN is no number"),
        (b"\xff", "utf-8"),
        (b"[" * 100_000, "recursion"),
    ],
)
def test_a_body_that_is_no_json(caller: Any, body: bytes, why: str) -> None:
    answer = caller.generic(
        "POST", "/api/v1/roles", body, content_type="application/json", headers={"Idempotency-Key": "k"}
    )
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed")
    assert why in answer.json()["detail"]


@pytest.mark.parametrize("body", [[], "text", 5, None])
def test_a_body_of_another_shape(caller: Caller, body: object) -> None:
    answer = caller.post("/api/v1/roles", body)
    assert answer.status_code == 422


def test_a_large_body(caller: Caller, settings: Any) -> None:
    settings.API_BODY_LIMIT_BYTES = 1000
    answer = caller.post("/api/v1/roles", {"code": "a", "name": "x" * 2000})
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


def test_another_media_type(caller: Any) -> None:
    headers = {"Idempotency-Key": "k"}
    answer = caller.generic("POST", "/api/v1/roles", b"a=b", content_type="text/csv", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


def test_another_method(caller: Caller) -> None:
    answer = caller.delete("/api/v1/roles")
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")


@pytest.mark.parametrize("path", ["/api/v1/nothing", "/api/v1/roles/nobody", "/api/v2/roles", "/api/"])
def test_nothing_there(caller: Caller, path: str) -> None:
    answer = caller.get(path)
    assert answer.status_code == 404
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "not_found"


def test_an_address_without_a_duty_is_open_to_nobody(caller: Caller) -> None:
    assert caller.get("/api/v1/unassigned").status_code == 403


@pytest.mark.parametrize(
    ("what", "status", "code", "told"),
    [
        ("bug", 500, "internal_error", "Something went wrong on our side"),
        ("no actor", 500, "internal_error", "Something went wrong on our side"),
        ("closed", 409, "closed_period", "2026-08 is closed"),
        ("duplicate", 409, "duplicate", "There is already a role with code written-before-the-fault."),
        ("guard", 409, "guarded", "Rows of access_rolegrant are never deleted"),
        ("too long", 422, "invalid", "outside of what its column can hold"),
    ],
)
def test_whatever_is_raised_is_told_and_undone(
    caller: Caller, what: str, status: int, code: str, told: str
) -> None:
    answer = caller.post("/api/v1/fault", {"what": what}, headers={"X-Request-ID": "request-42"})
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert told in answer.json()["detail"]
    assert answer.json()["request_id"] == "request-42"
    assert answer.json()["instance"] == "/api/v1/fault"
    assert "secret inside" not in answer.content.decode()
    assert not Role.objects.filter(code="written-before-the-fault").exists()


def test_remedy_and_record_are_told(caller: Caller) -> None:
    problem = caller.post("/api/v1/fault", {"what": "closed"}).json()
    assert (problem["record"], problem["remedy"]) == ("US", "Post in 2026-09.")
    assert problem["type"] == "urn:o2c:problem:closed_period"
    assert problem["title"] == "Conflict"


@pytest.mark.django_db(transaction=True)
def test_what_the_database_finds_only_at_commit_is_told_too(caller: Caller) -> None:
    answer = caller.post("/api/v1/fault", {"what": "deferred"})
    assert (answer.status_code, answer.json()["code"]) == (409, "referenced")
    assert not Role.objects.filter(code="written-before-the-fault").exists()


def test_a_request_id_that_could_be_an_attack_is_replaced(caller: Caller) -> None:
    answer = caller.get("/api/v1/me", headers={"X-Request-ID": "x\x1b[31m" + "y" * 100})
    assert len(answer["X-Request-ID"]) == 36
