"""Short forms for the policies that ship: a step with what it watches, a rule with its conditions."""

from __future__ import annotations

from typing import Any

from o2c.controls.approvals.domain.policy import HOURS


def step(code: str, title: str, duty: str, *watches: tuple[str, str], approvers: int = 1) -> dict[str, Any]:
    """A step that `duty` decides; `watches` are (path, direction that is worse)."""
    return {
        "code": code,
        "title": title,
        "duty": duty,
        "approvers": approvers,
        "watches": [{"path": path, "worse": worse} for path, worse in watches],
        **HOURS,
    }


def rule(code: str, because: str, steps: tuple[str, ...], *when: tuple[str, str, Any]) -> dict[str, Any]:
    """`steps` are asked when every condition (path, operator, value) holds."""
    return {
        "code": code,
        "because": because,
        "when": [{"path": path, "op": op, "value": value} for path, op, value in when],
        "steps": list(steps),
    }


def bands(path: str, *levels: tuple[str | None, tuple[str, ...]]) -> dict[str, Any]:
    """`levels` are (inclusive limit, steps); the last has no limit."""
    return {"path": path, "levels": [{"up_to": limit, "steps": list(steps)} for limit, steps in levels]}
