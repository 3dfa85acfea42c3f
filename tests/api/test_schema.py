"""The OpenAPI document: valid, complete about errors, and of a kind that Salesforce can import."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest
import yaml
from django.core.management import call_command
from drf_spectacular.generators import SchemaGenerator

from o2c.api.salesforce import faults, operations, subset
from tests.api.conftest import Caller
from tests.factories.access import make_user


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    found: dict[str, Any] = SchemaGenerator().get_schema(public=True)  # type: ignore[no-untyped-call]
    return found


def test_the_document_is_valid_and_drawn_without_a_warning() -> None:
    out = io.StringIO()
    call_command("spectacular", "--validate", "--fail-on-warn", stdout=out)
    assert yaml.safe_load(out.getvalue())["openapi"] == "3.0.3"


def test_every_operation_says_what_it_needs_and_how_it_refuses(document: dict[str, Any]) -> None:
    for path, method, operation in operations(document):
        where = f"{method} {path}"
        assert operation["x-duty"], where
        assert operation["operationId"], where
        assert operation.get("tags"), where
        assert {"401", "403", "429", "500"} <= set(operation["responses"]), where
        assert any(status.startswith("2") for status in operation["responses"]), where
        for status, response in operation["responses"].items():
            if status >= "400":
                assert "application/problem+json" in response["content"], f"{where} {status}"


def test_every_post_demands_the_key_or_says_why_not(document: dict[str, Any]) -> None:
    from o2c.api.checks import is_call, routes

    excused = {
        re.sub(r"<(\w+:)?(\w+)>", r"{\2}", f"/{route}")
        for route, view in routes()
        if is_call(view) and view.repeatable_because
    }
    for path, method, operation in operations(document):
        if method == "post" and path not in excused:
            required = {p["name"] for p in operation["parameters"] if p.get("required")}
            assert "Idempotency-Key" in required, path


def test_operations_are_named_once_and_briefly(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(names) == len(set(names))
    assert [name for name in names if len(name) > 40] == []


def test_amounts_are_never_json_numbers_with_a_point(document: dict[str, Any]) -> None:
    found = [
        f"{name}.{field}"
        for name, schema in document["components"]["schemas"].items()
        for field, inner in schema.get("properties", {}).items()
        if inner.get("type") == "number"
    ]
    assert found == []


def test_salesforce_can_import_its_part(document: dict[str, Any]) -> None:
    part = subset(document)
    assert list(operations(part))
    assert faults(part) == []


def test_what_salesforce_would_refuse_is_found() -> None:
    bad: dict[str, Any] = {
        "paths": {
            "/a": {"get": {"operationId": "a b", "requestBody": {}, "description": "x" * 1334}},
            "/b": {"post": {"operationId": "a b"}},
        },
        "components": {
            "schemas": {
                "Grid": {"properties": {"rows": {"type": "array", "items": {"type": "array"}}, "any": {}}},
                "Many": {"oneOf": []},
            }
        },
    }
    told = "\n".join(faults(bad))
    for part in (
        "no unique name",
        "a GET has no body",
        "longer than 1333",
        "whose items have no name",
        "any has no type",
    ):
        assert part in told
    assert "polymorphic" in told


@pytest.mark.django_db
def test_the_document_and_its_page_are_for_those_who_are_known() -> None:
    assert Caller().get("/api/v1/schema").status_code == 401
    assert Caller().get("/api/v1/docs").status_code == 302
    known = Caller()
    known.force_login(make_user("anna", "auditor"), backend="o2c.access.backends.DutyBackend")
    assert known.get("/api/v1/schema").status_code == 200
    assert known.get("/api/v1/schema/salesforce").status_code == 200


@pytest.mark.django_db
def test_the_page_needs_neither_the_internet_nor_inline_scripts() -> None:
    known = Caller()
    known.force_login(make_user("anna", "auditor"), backend="o2c.access.backends.DutyBackend")
    page = known.get("/api/v1/docs")
    text = page.content.decode()
    assert page.status_code == 200
    assert "http://" not in text.replace("http://www.w3.org", "")
    assert "https://" not in text
    assert re.findall(r"<script(?![^>]*src=)[^>]*>", text) == []
    script = known.get("/api/v1/docs?script=")
    assert script.status_code == 200
    assert "SwaggerUIBundle" in script.content.decode()
