"""How bodies are read: no unknown names, and exact numbers as strings of decimals, never JSON numbers
with a point.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail


class Body(serializers.Serializer[Any]):
    """What a caller sends, read strictly: a name that is not declared is an error beside the others,
    because a misspelt field must not mean "left out".
    """

    def to_internal_value(self, data: Any) -> Any:
        errors: dict[str, Any] = {}
        unknown = [str(name) for name in data if name not in self.fields] if isinstance(data, Mapping) else []
        try:
            checked = super().to_internal_value(data)
        except serializers.ValidationError as error:
            if not isinstance(error.detail, dict):
                raise
            errors = dict(error.detail)
        errors |= {name: [ErrorDetail("This call knows no such field.", code="unknown")] for name in unknown}
        if errors:
            raise serializers.ValidationError(errors)
        return checked


class _ExactDecimal(serializers.DecimalField):
    """A decimal in a string ("1250.00"); an integer is also understood, a JSON number with a point is
    refused.
    """

    default_error_messages = {
        "not_a_string": 'Send a decimal number as a string, "12.50": a JSON number may be rounded.'
    }

    def to_internal_value(self, data: Any) -> Decimal:
        if isinstance(data, bool) or not isinstance(data, str | int):
            self.fail("not_a_string")
        return super().to_internal_value(data)


@extend_schema_field({"type": "string", "pattern": r"^-?\d{1,17}(\.\d{1,3})?$", "example": "1250.00"})
class Amount(_ExactDecimal):
    """Money of a document: up to 17 digits before and 3 after the point. The currency stands beside it."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_digits=20, decimal_places=3, **kwargs)

    def to_representation(self, value: Any) -> Any:
        """Without padding beyond two places: 12.500 → "12.50", 12.345 → "12.345"."""
        if value is None:
            return None
        amount = Decimal(value)
        whole = amount.quantize(Decimal("0.01"))
        return f"{whole:f}" if whole == amount else f"{amount:f}"


@extend_schema_field({"type": "string", "pattern": r"^-?\d{1,16}(\.\d{1,12})?$", "example": "0.0000025"})
class Rate(_ExactDecimal):
    """A unit price or a rate: 12 places."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_digits=28, decimal_places=12, normalize_output=True, **kwargs)


@extend_schema_field({"type": "string", "pattern": r"^-?\d{1,19}(\.\d{1,9})?$", "example": "25"})
class Quantity(_ExactDecimal):
    """A quantity: 9 places."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_digits=28, decimal_places=9, normalize_output=True, **kwargs)


class Currency(serializers.CharField):
    """An ISO 4217 code, 'EUR'."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_length=3, max_length=3, **kwargs)


@extend_schema_field({"type": "object", "additionalProperties": True})
class Document(serializers.JSONField):
    """A JSON object of a shape of its own, such as a price; its numbers are decimals in strings too."""
