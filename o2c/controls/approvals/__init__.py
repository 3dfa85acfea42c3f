"""Approvals: change sets with their computed effects, bound by digest, decided by who may.

from o2c.controls import approvals
approvals.gate("billing.credit.post", [memo.pk])   # in the service of the act
approvals.submit("billing.credit.post", memo.pk, actor=actor, reason="…")
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from o2c.controls.approvals.services.deciding import approve, reject
    from o2c.controls.approvals.services.gate import gate, needs_approval
    from o2c.controls.approvals.services.submitting import submit

_HOMES = {
    "approve": "deciding",
    "gate": "gate",
    "needs_approval": "gate",
    "reject": "deciding",
    "submit": "submitting",
}

__all__ = ["approve", "gate", "needs_approval", "reject", "submit"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"o2c.controls.approvals.services.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'o2c.controls.approvals' has no attribute {name!r}")
