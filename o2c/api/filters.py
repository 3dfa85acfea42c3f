"""Filtering by declared names only: a filter that was misspelt must not mean 'everything'."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db.models import Model, QuerySet
from django_filters.rest_framework import DjangoFilterBackend
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

if TYPE_CHECKING:
    from rest_framework.views import APIView

PAGING = frozenset({"limit", "cursor", "order", "format"})


class StrictFilterBackend(DjangoFilterBackend):
    """django-filter, and 422 for a parameter that the call does not know."""

    def filter_queryset(self, request: Request, queryset: QuerySet[Any], view: APIView) -> QuerySet[Any]:
        filterset = self.get_filterset_class(view, queryset)
        known = set(filterset.base_filters) if filterset else set()
        unknown = sorted(set(request.query_params) - known - PAGING)
        if unknown:
            hint = f"Known: {', '.join(sorted(known | {'limit', 'cursor'}))}."
            raise ValidationError(dict.fromkeys(unknown, f"There is no such filter. {hint}"))
        filtered: QuerySet[Model] = super().filter_queryset(request, queryset, view)
        return filtered
