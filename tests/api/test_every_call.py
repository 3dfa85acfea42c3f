"""Every registered call of the API, found by walking its addresses: whatever is sent, it answers decently.

A new call is covered the moment it is mounted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from drf_spectacular.generators import SchemaGenerator

from o2c.api.checks import check_duties, is_call, routes
from o2c.api.permissions import SIGNED_IN
from o2c.api.salesforce import operations
from tests.api.conftest import Caller
from tests.factories.access import make_account, make_role, make_token

pytestmark = pytest.mark.django_db
READS = {"GET"}
JUNK: tuple[Any, ...] = (
    None,
    "",
    "x" * 5000,
    -1,
    10**30,
    1.5,
    True,
    [],
    {},
    [[]],
    "\u0000",
    "2026-13-45",
    "NaN",
)
JUNK_TEXT = ("", "x", "-1", "9" * 40, "1.5", "%00", "2026-13-45", "'\"<>;--", "%F0%9F%92%A5", "null")


class Call(NamedTuple):
    method: str
    path: str
    duty: str

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def calls() -> list[Call]:
    found = []
    for route, view in routes("api/v1/"):
        if is_call(view):
            handled = {"get", "post", "put", "patch", "delete"} & {
                m for m in view.http_method_names if hasattr(view, m)
            }
            found += [Call(m.upper(), _path(route), view.duties[m.upper()]) for m in sorted(handled)]
    return found


def _path(route: str, fill: str = "1") -> str:
    return "/" + re.sub(r"<[^>]+>", fill, route)


CALLS = calls()


def send(caller: Caller, call: Call, body: Any = None, path: str = "") -> Any:
    if call.method == "GET":
        return caller.get(path or call.path)
    return getattr(caller, call.method.lower())(path or call.path, body if body is not None else {})


def decent(answer: Any, what: Any = "") -> None:
    """No fault of ours, and a problem document where it is a refusal."""
    assert answer.status_code < 500, (what, answer.content[:500])
    if answer.status_code >= 400:
        assert answer["Content-Type"] == "application/problem+json", what
        problem = answer.json()
        assert problem["status"] == answer.status_code
        assert problem["code"]
        assert problem["detail"]
        assert problem["request_id"] == answer["X-Request-ID"]


@pytest.fixture
def almighty(db: None) -> Caller:
    """An account that holds every duty that a call asks for."""
    duties = ({call.duty for call in CALLS} | {"access.read"}) - {SIGNED_IN, ""}
    make_role("everything", duties)
    return Caller(make_token(make_account("almighty", "everything", excused=True), duties))


@pytest.fixture
def powerless(db: None) -> Caller:
    make_role("little", ["access.signin.unlock"])
    return Caller(make_token(make_account("powerless", "little"), ["access.signin.unlock"]))


def test_there_are_calls_and_each_has_a_declared_duty() -> None:
    assert len(CALLS) > 1
    assert check_duties(None) == []


def test_every_address_below_the_api_is_a_call_of_ours() -> None:
    """Whatever else is mounted there would not have our manners: named here, with the reason."""
    others = {route for route, view in routes("api/") if not is_call(view)}
    assert others == {"api/v1/schema", "api/v1/schema/salesforce", "api/v1/docs"}


@pytest.mark.parametrize("call", CALLS, ids=str)
def test_nobody_comes_in_unknown(db: None, call: Call) -> None:
    answer = send(Caller(), call)
    decent(answer)
    assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")


@pytest.mark.parametrize("call", [c for c in CALLS if c.duty != SIGNED_IN], ids=str)
def test_nobody_comes_in_without_the_duty(powerless: Caller, call: Call) -> None:
    answer = send(powerless, call)
    decent(answer)
    assert (answer.status_code, answer.json()["code"]) == (403, "duty_missing")
    assert call.duty in answer.json()["detail"]


@pytest.mark.parametrize("call", [c for c in CALLS if c.method not in READS], ids=str)
def test_what_is_no_json_is_malformed(almighty: Any, call: Call) -> None:
    answer = almighty.generic(
        call.method, call.path, b"{", content_type="application/json", headers={"Idempotency-Key": "k"}
    )
    decent(answer)
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed")


@pytest.mark.parametrize("path", sorted({c.path for c in CALLS}))
def test_a_method_that_an_address_does_not_know(almighty: Any, path: str) -> None:
    answer = almighty.generic("DELETE", path)
    decent(answer)
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert "DELETE" not in answer["Allow"]


@pytest.mark.parametrize("call", [c for c in CALLS if c.method == "GET"], ids=str)
def test_reading_survives_any_question(almighty: Caller, call: Call) -> None:
    for name in ["limit", "cursor", "no_such_filter", *_parameters(call)]:
        for junk in JUNK_TEXT:
            decent(almighty.get(f"{call.path}?{name}={junk}"), (name, junk))


@pytest.mark.parametrize("call", [c for c in CALLS if re.search(r"<", c.path) or "/1" in c.path], ids=str)
def test_any_record_may_be_asked_for(almighty: Caller, call: Call) -> None:
    for junk in ("0", "9" * 40, "x", "%00", "..%2f..", "null"):
        decent(send(almighty, call, path=call.path.replace("/1", f"/{junk}")), junk)


@pytest.mark.parametrize("call", [c for c in CALLS if c.method not in READS], ids=str)
def test_writing_survives_any_body(almighty: Caller, call: Call) -> None:
    for junk in JUNK:
        decent(send(almighty, call, junk if junk is not None else [None]), junk)
    fields = _fields(call)
    for junk in JUNK:
        decent(send(almighty, call, dict.fromkeys(fields, junk)), junk)
    valid = {name: _example(schema) for name, schema in fields.items()}
    decent(send(almighty, call, valid), valid)
    for name in fields:
        for junk in JUNK:
            decent(send(almighty, call, valid | {name: junk}), (name, junk))


_document: dict[str, Any] = {}


def _operation(call: Call) -> dict[str, Any]:
    if not _document:
        _document.update(SchemaGenerator().get_schema(public=True))  # type: ignore[no-untyped-call]
    for path, method, operation in operations(_document):
        if method.upper() == call.method and re.sub(r"\{[^}]+\}", "1", path) == call.path:
            return operation
    raise AssertionError(f"{call} is not in the OpenAPI document")


def _parameters(call: Call) -> Iterator[str]:
    for parameter in _operation(call).get("parameters", []):
        if parameter["in"] == "query":
            yield parameter["name"]


def _fields(call: Call) -> dict[str, Any]:
    content = _operation(call).get("requestBody", {}).get("content", {})
    schema = _resolve(content.get("application/json", {}).get("schema", {}))
    fields: dict[str, Any] = schema.get("properties", {})
    return fields


def _resolve(schema: dict[str, Any]) -> dict[str, Any]:
    if "allOf" in schema and len(schema["allOf"]) == 1:
        schema = schema["allOf"][0]
    name = schema.get("$ref", "").rpartition("/")[2]
    return _document["components"]["schemas"][name] if name else schema


def _example(schema: dict[str, Any]) -> Any:
    """A value that the schema allows, so that what is behind the first check is reached too."""
    schema = _resolve(schema)
    if "example" in schema:
        return schema["example"]
    if schema.get("enum"):
        return schema["enum"][0]
    kind = schema.get("type")
    if kind == "object":
        return {name: _example(inner) for name, inner in schema.get("properties", {}).items()}
    if kind == "array":
        return [_example(schema.get("items", {}))]
    if kind == "string":
        named = {"date": "2026-08-01", "date-time": "2026-08-01T00:00:00Z", "email": "a@example.com"}
        pattern = schema.get("pattern", "")
        return named.get(schema.get("format", ""), "12" if r"\d" in pattern else "example")
    return {"integer": 1, "number": 1, "boolean": True}.get(str(kind))
