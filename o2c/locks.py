"""The one place that takes row locks: always in the order of the primary key."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from django.db import models

from o2c.errors import NotFound

M = TypeVar("M", bound=models.Model)


def rows(model: type[M], pks: Iterable[int]) -> list[M]:
    """Lock and return the rows, ordered by primary key. Raises NotFound, naming those missing."""
    wanted = sorted(set(pks))
    found = list(model._default_manager.select_for_update(of=("self",)).filter(pk__in=wanted).order_by("pk"))
    if len(found) != len(wanted):
        missing = sorted(set(wanted) - {row.pk for row in found})
        raise NotFound(
            f"No {model._meta.verbose_name} with id {', '.join(map(str, missing))}",
            remedy="It may have been removed; reload the page",
        )
    return found


def row(model: type[M], pk: int) -> M:
    """Lock and return one row. Raises NotFound."""
    return rows(model, [pk])[0]
