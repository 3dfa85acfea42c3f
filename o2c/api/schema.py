"""The OpenAPI document: operations named for Salesforce, with their errors, the idempotency header and
the duty.
"""

from __future__ import annotations

from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers

from o2c.api.idempotency import HEADER
from o2c.api.views import ON_BEHALF_OF, ApiView, ListView

ERRORS = {
    "400": "The request can't be read, or a required header is missing.",
    "401": "No token, or one that is unknown, revoked or past its end.",
    "403": "The caller does not hold the duty.",
    "404": "There is no such record.",
    "409": "The record's state, or another request, forbids it now.",
    "412": "The version named in If-Match is no longer the current one.",
    "413": "The body is larger than the call takes.",
    "415": "The body is not application/json.",
    "422": "The request is readable and can't be right; `errors` names every field.",
    "429": "Too many calls; wait `retry_after_s` seconds.",
    "500": "Our fault; nothing was changed. Quote `request_id`.",
}
VERBS = {"GET": "read", "POST": "create", "PUT": "put", "PATCH": "change", "DELETE": "delete"}
READING = ("401", "403", "422", "429", "500")
WRITING = ("400", "401", "403", "409", "413", "415", "422", "429", "500")


class ProblemFieldSerializer(serializers.Serializer[Any]):
    """One problem with one field."""

    field = serializers.CharField(
        help_text="Path of the field, 'lines[0].quantity'; empty for the whole body."
    )
    detail = serializers.CharField()
    code = serializers.CharField()


class ProblemSerializer(serializers.Serializer[Any]):
    """A refusal (RFC 9457)."""

    type = serializers.CharField(help_text="urn:o2c:problem:<code>")
    title = serializers.CharField()
    status = serializers.IntegerField()
    code = serializers.CharField(help_text="Stable; decide on this one.")
    detail = serializers.CharField(help_text="For people.")
    instance = serializers.CharField(required=False)
    record = serializers.CharField(required=False, help_text="The record it is about.")
    remedy = serializers.CharField(required=False, help_text="What to do next.")
    request_id = serializers.CharField(required=False)
    retry_after_s = serializers.IntegerField(required=False)
    errors = ProblemFieldSerializer(many=True)  # type: ignore[assignment]  # also a property of Serializer


class MetaSerializer(serializers.Serializer[Any]):
    """What other callers read from headers."""

    request_id = serializers.CharField()
    version = serializers.CharField(help_text="For If-Match; the same as the ETag header.")
    idempotent_replay = serializers.BooleanField(
        help_text="True: this is the stored answer to an earlier request."
    )


class Schema(AutoSchema):  # type: ignore[no-untyped-call]
    """drf-spectacular's, plus what `ApiView` does for every call."""

    @property
    def ours(self) -> ApiView | None:
        return self.view if isinstance(self.view, ApiView) else None

    def _is_list_view(self, serializer: Any = None) -> bool:
        if isinstance(self.view, ListView):
            return bool(self.method == "GET")
        return super()._is_list_view(serializer)

    def get_summary(self) -> str | None:
        """What the operation is called in lists: the first line of the view's own docstring unless said."""
        said = super().get_summary()
        own = (type(self.view).__doc__ or "").strip().partition("\n")[0].rstrip(".")
        return said or own or None

    def get_tags(self) -> list[str]:
        """The app that the call belongs to."""
        app = type(self.view).__module__.partition(".")[0]
        return ["general" if app == "o2c" else app]

    def get_operation_id(self) -> str:
        """`listOrders`, `createOrder`: where the view doesn't name the operation itself."""
        if self.ours is None:
            return super().get_operation_id()
        reads_many = self._is_list_view() and self.method == "GET"
        verb = "list" if reads_many else VERBS[self.method]
        return verb + type(self.ours).__name__.removesuffix("View")

    def get_override_parameters(self) -> list[Any]:
        if self.ours is None or self.method == "GET":
            return []
        found = [
            OpenApiParameter(
                ON_BEHALF_OF,
                str,
                OpenApiParameter.HEADER,
                description="Username of the person who asked for it; they need the duty as well.",
            ),
            OpenApiParameter("X-Reason", str, OpenApiParameter.HEADER, description="Why; kept in history."),
        ]
        if self.ours.needs_key(self.method):
            about = "A random key of your own, at most 255 characters. Repeat it when you repeat the request."
            found.insert(
                0, OpenApiParameter(HEADER, str, OpenApiParameter.HEADER, required=True, description=about)
            )
        if self.method in ("PUT", "PATCH"):
            about = "The version you read; refused with 412 if it is no longer the current one."
            found.append(OpenApiParameter("If-Match", str, OpenApiParameter.HEADER, description=about))
        return found

    def get_operation(self, *args: Any, **kwargs: Any) -> Any:
        operation = super().get_operation(*args, **kwargs)
        if operation and self.ours is not None:
            duty = self.ours.duties.get(self.method, "")
            operation["x-duty"] = duty
            operation["x-salesforce"] = self.ours.for_salesforce
            told = f"Needs the duty `{duty}`."
            operation["description"] = f"{operation.get('description', '')}\n\n{told}".strip()
        return operation

    def _get_response_bodies(self, direction: Any = "response") -> dict[str, Any]:
        bodies: dict[str, Any] = super()._get_response_bodies(direction)
        if self.ours is None:
            return bodies
        problem = self.resolve_serializer(ProblemSerializer, "response").ref
        self.resolve_serializer(MetaSerializer, "response")
        for status in self._error_statuses():
            content = {"application/problem+json": {"schema": problem}}
            bodies.setdefault(status, {"content": content, "description": ERRORS[status]})
        return bodies

    def _error_statuses(self) -> list[str]:
        found = set(READING if self.method == "GET" else WRITING)
        if "{" in self.path:
            found.add("404")
        if self.method in ("PUT", "PATCH"):
            found.add("412")
        return sorted(found)


def finish(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """Post-processing: `meta` on every single record that a call answers with; no alternatives."""
    schemas = result.get("components", {}).get("schemas", {})
    for schema in schemas.values():
        _without_alternatives(schema)
    if "Meta" not in schemas:
        return result
    for path in result["paths"].values():
        for operation in path.values():
            if "x-duty" not in operation:
                continue
            for status, response in operation["responses"].items():
                content = response.get("content", {}).get("application/json", {})
                name = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
                if status < "300" and name in schemas and not name.startswith("Paginated"):
                    schemas[name]["properties"]["meta"] = {"$ref": "#/components/schemas/Meta"}
    return result


def _without_alternatives(schema: dict[str, Any]) -> None:
    """An e-mail address or an empty text is told as a text: Salesforce can't read alternatives."""
    for inner in schema.get("properties", {}).values():
        kinds = {option.get("type") for option in inner.get("oneOf", [])}
        if kinds == {"string"}:
            del inner["oneOf"]
            inner["type"] = "string"
