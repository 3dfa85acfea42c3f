"""Every refusal as one shape (RFC 9457), from whichever exception it came.

A caller can rely on `status` and `code`; `detail` is for a person; `errors` holds every field problem at
once; `request_id` is what to quote when asking for help. What the caller can't act on (a bug, a lost
database) becomes a bare 500 that tells nothing of the inside.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import django.db
import psycopg
from django.apps import apps
from django.core import exceptions as django_errors
from django.db.models import BaseConstraint
from django.http import Http404
from rest_framework import exceptions as drf_errors

from o2c.errors import DomainError, InvalidInput

MEDIA_TYPE = "application/problem+json"
# Raised by the product's own triggers, with a message for people.
GUARDS = {
    "OC001": "guarded",
    "OC004": "closed_period",
    "OC005": "policy_missing",
    "OC006": "approval_required",
}
KEY_DETAIL = re.compile(r"^Key \((?P<columns>[^)]+)\)=\((?P<values>.*)\) already exists\.$")


@dataclass(frozen=True)
class FieldError:
    """One problem with one field; `field` is a path such as 'lines[0].quantity', '' for the whole body."""

    field: str
    detail: str
    code: str = "invalid"


@dataclass(frozen=True)
class Problem:
    """A refusal, ready to be shown as JSON or on a page."""

    status: int
    code: str
    detail: str
    record: str = ""
    remedy: str = ""
    errors: list[FieldError] = field(default_factory=list)
    retry_after_s: int | None = None

    def as_json(self, request_id: str = "", instance: str = "") -> dict[str, Any]:
        """The members of the problem document; empty ones are left out, but `errors` is always there."""
        body: dict[str, Any] = {
            "type": f"urn:o2c:problem:{self.code}",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
            "instance": instance,
            "record": self.record,
            "remedy": self.remedy,
            "request_id": request_id,
            "retry_after_s": self.retry_after_s,
        }
        body = {name: value for name, value in body.items() if value not in ("", None)}
        body["errors"] = [vars(error) for error in self.errors]
        return body


INTERNAL = Problem(
    500,
    "internal_error",
    "Something went wrong on our side. Nothing was changed.",
    remedy="Try again; if it stays, quote the request id.",
)


def problem_of(error: Exception) -> Problem:
    """The refusal that `error` means to a caller; INTERNAL for what is nobody's refusal."""
    if isinstance(error, DomainError):
        return _from_domain(error)
    if isinstance(error, drf_errors.APIException):
        return _from_drf(error)
    if isinstance(error, Http404):
        return Problem(404, "not_found", "There is nothing at this address.")
    if isinstance(error, django_errors.PermissionDenied):
        return Problem(403, "not_authorised", "You may not do this.")
    if isinstance(error, django_errors.ValidationError):
        return _from_model_validation(error)
    if isinstance(error, django_errors.RequestDataTooBig):
        return Problem(413, "too_large", "The request is larger than this call takes.")
    if isinstance(error, django_errors.BadRequest | django_errors.SuspiciousOperation):
        return Problem(400, "bad_request", "The request can't be read.")
    if isinstance(error, django.db.Error):
        return _from_database(error)
    return INTERNAL


def _from_domain(error: DomainError) -> Problem:
    if error.status >= 500:
        return INTERNAL
    fields = error.fields if isinstance(error, InvalidInput) else {}
    return Problem(
        error.status,
        error.code,
        error.message,
        record=error.record,
        remedy=error.remedy,
        errors=[FieldError(name, text) for name, texts in fields.items() for text in texts],
    )


def _from_drf(error: drf_errors.APIException) -> Problem:
    if isinstance(error, drf_errors.ValidationError):
        found = list(flatten(error.detail))
        return Problem(422, "invalid", _summary(found), errors=found)
    if isinstance(error, drf_errors.Throttled):
        wait = max(1, round(getattr(error, "wait", None) or 1))
        return Problem(429, "rate_limited", "Too many calls.", remedy=f"Wait {wait} s.", retry_after_s=wait)
    status = (
        422
        if error.status_code == 400 and not isinstance(error, drf_errors.ParseError)
        else error.status_code
    )
    code = {401: "not_authenticated", 403: "not_authorised", 400: "malformed"}.get(status, "")
    return Problem(status, code or str(error.default_code), str(error.detail))


def flatten(detail: Any, path: str = "") -> list[FieldError]:
    """DRF's nested error structure as a flat list with one path per problem."""
    if isinstance(detail, dict):
        return [
            problem
            for name, inner in detail.items()
            for problem in flatten(inner, path if name == "non_field_errors" else _join(path, str(name)))
        ]
    if isinstance(detail, list | tuple):
        nested = any(isinstance(item, dict | list) for item in detail)
        return [
            problem
            for index, item in enumerate(detail)
            if item
            for problem in flatten(item, f"{path}[{index}]" if nested else path)
        ]
    return [FieldError(path, str(detail), getattr(detail, "code", None) or "invalid")]


def _join(path: str, name: str) -> str:
    if name.isdigit():  # an index: DRF gives the items of a list under their numbers
        return f"{path}[{name}]"
    return f"{path}.{name}" if path else name


def _summary(found: list[FieldError]) -> str:
    if len(found) == 1:
        where = f"{found[0].field}: " if found[0].field else ""
        return f"{where}{found[0].detail}"
    return f"{len(found)} fields can't be right; see errors."


def _from_model_validation(error: django_errors.ValidationError) -> Problem:
    by_field = error.message_dict if hasattr(error, "error_dict") else {"": error.messages}
    found = [
        FieldError("" if name == django_errors.NON_FIELD_ERRORS else name, text)
        for name, texts in by_field.items()
        for text in texts
    ]
    return Problem(422, "invalid", _summary(found), errors=found)


def _from_database(error: django.db.Error) -> Problem:
    cause = error.__cause__
    if not isinstance(cause, psycopg.Error):
        return INTERNAL
    state = cause.sqlstate or ""
    if state in GUARDS:
        return Problem(409, GUARDS[state], cause.diag.message_primary or "The database refuses this change")
    if state == "23505":
        return Problem(409, "duplicate", _duplicate(cause))
    if state == "23P01":
        return Problem(409, "overlap", _violated(cause) or "It overlaps with what is there already.")
    if state == "23503":
        return Problem(
            409, "referenced", "It refers to a record that doesn't exist, or is itself referred to."
        )
    if state in ("23514", "23502"):
        return Problem(
            422, "invalid", _violated(cause) or f"A rule refuses it: {cause.diag.constraint_name}."
        )
    if state.startswith("22"):
        return Problem(422, "invalid", "A value is outside of what its column can hold.")
    if state in ("40001", "40P01", "55P03"):
        again = "Somebody else is changing the same records."
        return Problem(409, "try_again", again, remedy="Send it again.", retry_after_s=1)
    return INTERNAL


def _duplicate(cause: psycopg.Error) -> str:
    told = _violated(cause)
    if told:
        return told
    match = KEY_DETAIL.match(cause.diag.message_detail or "")
    noun = _noun(cause.diag.table_name or "")
    if match:
        return f"There is already a {noun} with {match['columns']} {match['values']}."
    return f"There is already such a {noun}."


def _noun(table: str) -> str:
    for model in apps.get_models():
        if model._meta.db_table == table:
            return str(model._meta.verbose_name)
    return "record"


def _violated(cause: psycopg.Error) -> str:
    """What the violated constraint says to people, if its author wrote that."""
    constraint = _constraint(cause.diag.constraint_name or "")
    if constraint is None:
        return ""
    message = str(constraint.get_violation_error_message())
    return "" if "is violated" in message else message


def _constraint(name: str) -> BaseConstraint | None:
    for model in apps.get_models():
        for constraint in model._meta.constraints:
            if constraint.name == name:
                return constraint
    return None
