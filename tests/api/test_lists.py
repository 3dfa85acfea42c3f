"""Pages, filters and versions."""

from __future__ import annotations

from typing import Any

import pytest

from o2c.access.models import Role
from o2c.actor import Actor, acting
from tests.api.conftest import Caller

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.api.probe")]


@pytest.fixture
def seven(db: None) -> None:
    """Seven more roles of which five have the same name."""
    with acting(Actor.installer()):
        Role.objects.bulk_create(Role(code=f"same-{n}", name="Same") for n in range(5))
        Role.objects.bulk_create(Role(code=f"role-{n}", name=f"Role {n}") for n in range(2))


def walk(caller: Caller, address: str) -> list[str]:
    codes: list[str] = []
    following: str | None = address
    while following:
        page = caller.get(following).json()
        codes += [row["code"] for row in page["data"]]
        following = page["next"]
    return codes


def test_pages_hold_every_row_once_in_order(caller: Caller, seven: None) -> None:
    expected = list(Role.objects.order_by("name", "pk").values_list("code", flat=True))
    assert walk(caller, "/api/v1/roles?limit=3") == expected
    assert walk(caller, "/api/v1/roles?limit=500") == expected


def test_a_row_that_goes_or_comes_shifts_nothing(caller: Caller, seven: None) -> None:
    every = list(Role.objects.order_by("name", "pk").values_list("code", flat=True))
    first = caller.get("/api/v1/roles?limit=4").json()
    with acting(Actor.installer()):
        Role.objects.create(code="aaa", name="AAA")
        Role.objects.get(code=first["data"][1]["code"]).delete()
    assert [row["code"] for row in first["data"]] + walk(caller, first["next"]) == every


@pytest.mark.parametrize(
    "cursor", ["nonsense", "W10", "WyJuYW1lIl0", "bnVsbA", "W1sibmFtZSIsInBrIl0sWyJhIiwiYiJdXQ"]
)
def test_a_cursor_of_nowhere(caller: Caller, cursor: str) -> None:
    answer = caller.get(f"/api/v1/roles?cursor={cursor}")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "cursor"


@pytest.mark.parametrize("limit", ["0", "501", "-1", "x", "1.5", "", "٣"])
def test_a_limit_out_of_bounds(caller: Caller, limit: str) -> None:
    answer = caller.get(f"/api/v1/roles?limit={limit}")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "limit"


def test_filters(caller: Caller, seven: None) -> None:
    assert walk(caller, "/api/v1/roles?code=same-3") == ["same-3"]


def test_a_misspelt_filter_does_not_mean_everything(caller: Caller) -> None:
    answer = caller.get("/api/v1/roles?kode=same-3")
    assert answer.status_code == 422
    assert answer.json()["errors"][0] == {
        "field": "kode",
        "detail": "There is no such filter. Known: code, cursor, limit.",
        "code": "invalid",
    }


def test_a_list_costs_the_same_however_long(
    caller: Caller, seven: None, django_assert_num_queries: Any
) -> None:
    caller.get("/api/v1/roles?limit=2")
    with django_assert_num_queries(6):  # token, duties, rows; the record of the reading, and who reads
        caller.get("/api/v1/roles?limit=2")
    with django_assert_num_queries(6):
        caller.get("/api/v1/roles?limit=500")


def test_a_version_protects_from_the_lost_update(caller: Caller, seven: None) -> None:
    read = caller.get("/api/v1/roles/role-1")
    version = read.json()["meta"]["version"]
    assert read["ETag"] == f'"{version}"'
    body = {"code": "role-1", "name": "First"}

    first = caller.put("/api/v1/roles/role-1", body, headers={"If-Match": read["ETag"]})
    late = caller.put("/api/v1/roles/role-1", body | {"name": "Second"}, headers={"If-Match": version})

    assert first.status_code == 200
    assert first.json()["meta"]["version"] != version
    assert (late.status_code, late.json()["code"]) == (412, "stale_version")
    assert Role.objects.get(code="role-1").name == "First"


def test_unchanged_since(caller: Caller, seven: None) -> None:
    etag = caller.get("/api/v1/roles/role-1")["ETag"]
    answer = caller.get("/api/v1/roles/role-1", headers={"If-None-Match": etag})
    assert answer.status_code == 304
