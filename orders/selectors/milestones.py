"""Milestones: which were reached, and when."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Sequence

from orders.models import MilestoneRecord


def reached_on(line_ids: Sequence[int]) -> dict[int, dict[str, dt.date]]:
    """By line, the milestones that hold as reached, with their day. One statement, none without lines."""
    found: dict[int, dict[str, dt.date]] = defaultdict(dict)
    if not line_ids:
        return found
    latest = (
        MilestoneRecord.objects.filter(line__in=line_ids)
        .order_by("line_id", "milestone", "-sequence")
        .distinct("line_id", "milestone")
    )
    for line_id, name, day in latest.values_list("line_id", "milestone", "reached_on"):
        if day is not None:
            found[line_id][name] = day
    return found
