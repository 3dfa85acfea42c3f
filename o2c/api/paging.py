"""Keyset paging: a page begins after a key, not after a count.

A list is walked in a fixed order, each page in the time of its own rows, and a row that is inserted or
removed meanwhile shifts nothing: every row that was there all the time appears exactly once.
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError as FieldError
from django.db.models import Model, Q
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

if TYPE_CHECKING:
    from rest_framework.views import APIView

DEFAULT_LIMIT = 100
LARGEST_LIMIT = 500


class KeysetPagination(BasePagination):
    """`?limit=` up to 500, `?cursor=` from the page before.

    The view's `order` names the columns, '-' before a name for descending; the primary key is added at
    the end so that the order is total. Ordered columns must not be null.
    """

    def paginate_queryset(self, queryset: Any, request: Request, view: APIView | None = None) -> list[Any]:
        self.request = request
        self.order = total_order(getattr(view, "order", ("pk",)))
        limit = self._limit(request)
        after = request.query_params.get("cursor")
        if after:
            queryset = queryset.filter(after_key(self.order, self._decode(after, queryset.model)))
        rows = list(queryset.order_by(*self.order)[: limit + 1])
        self.last = rows[limit - 1] if len(rows) > limit else None
        return rows[:limit]

    def get_paginated_response(self, data: Any) -> Response:
        cursor = self._encode(self.last) if self.last is not None else None
        url = self.request.build_absolute_uri()
        following = replace_query_param(url, "cursor", cursor) if cursor else None
        return Response({"data": data, "next": following, "next_cursor": cursor})

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        return {
            "type": "object",
            "required": ["data", "next", "next_cursor"],
            "properties": {
                "data": schema,
                "next": {
                    "type": "string",
                    "format": "uri",
                    "nullable": True,
                    "description": "Address of the next page; null on the last.",
                },
                "next_cursor": {
                    "type": "string",
                    "nullable": True,
                    "description": "Cursor of the next page, for callers that build addresses themselves.",
                },
            },
        }

    def get_schema_operation_parameters(self, view: APIView) -> list[dict[str, Any]]:
        return [
            {
                "name": "limit",
                "in": "query",
                "required": False,
                "description": f"Rows per page, {DEFAULT_LIMIT} unless told, at most {LARGEST_LIMIT}.",
                "schema": {
                    "type": "integer",
                    "minimum": 1,
                    "maximum": LARGEST_LIMIT,
                    "default": DEFAULT_LIMIT,
                },
            },
            {
                "name": "cursor",
                "in": "query",
                "required": False,
                "description": "From `next_cursor` of the page before. Opaque; keep the filters the same.",
                "schema": {"type": "string"},
            },
        ]

    def _limit(self, request: Request) -> int:
        given = request.query_params.get("limit", str(DEFAULT_LIMIT))
        if not given.isascii() or not given.isdigit() or not 1 <= int(given) <= LARGEST_LIMIT:
            raise ValidationError({"limit": f"A whole number from 1 to {LARGEST_LIMIT}."})
        return int(given)

    def _encode(self, row: Model) -> str:
        values = [_text(_value(row, name.lstrip("-"))) for name in self.order]
        raw = json.dumps([list(self.order), values]).encode()
        return base64.urlsafe_b64encode(raw).decode().rstrip("=")

    def _decode(self, cursor: str, model: type[Model]) -> list[Any]:
        try:
            raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
            order, values = json.loads(raw)
            if order != list(self.order) or len(values) != len(order):
                raise ValueError("another order")
            return [
                _python(model, name.lstrip("-"), value) for name, value in zip(order, values, strict=True)
            ]
        except (ValueError, TypeError, binascii.Error, FieldError) as error:
            raise ValidationError({"cursor": "This cursor belongs to no page of this list."}) from error


def total_order(order: tuple[str, ...]) -> tuple[str, ...]:
    """`order` with the primary key at the end, unless it is in it."""
    bare = {name.lstrip("-") for name in order}
    return order if bare & {"pk", "id"} else (*order, "pk")


def after_key(order: tuple[str, ...], values: list[Any]) -> Q:
    """Rows after the key: a > x, or a = x and b > y, … with < for descending columns.

    The first column alone is said once more (a >= x), which an index on it can use.
    """
    condition = Q()
    equal: dict[str, Any] = {}
    for name, value in zip(order, values, strict=True):
        bare = name.lstrip("-")
        beyond = f"{bare}__{'lt' if name.startswith('-') else 'gt'}"
        condition |= Q(**equal, **{beyond: value})
        equal[bare] = value
    first = f"{order[0].lstrip('-')}__{'lte' if order[0].startswith('-') else 'gte'}"
    return Q(**{first: values[0]}) & condition


def _value(row: Model, path: str) -> Any:
    value: Any = row
    for part in path.split("__"):
        value = getattr(value, part)
    return value


def _text(value: Any) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _python(model: type[Model], path: str, text: Any) -> Any:
    if not isinstance(text, str):
        raise ValueError("no text")
    parts = path.split("__")
    for part in parts[:-1]:
        related = model._meta.get_field(part).related_model
        assert isinstance(related, type)
        model = related
    field = model._meta.pk if parts[-1] == "pk" else model._meta.get_field(parts[-1])
    assert field is not None
    return field.to_python(text)  # type: ignore[union-attr]
