"""Exceptions to a segregation rule are under approval by how long they last (S52)."""

from __future__ import annotations

from typing import Any

from o2c.controls.approvals.declaring import bands, step
from o2c.controls.approvals.registry import Act, Lineage

FACTS = """
SELECT jsonb_build_object(
  'user', u.username, 'rule', r.code, 'risk', r.risk, 'severity', r.severity, 'why', e.reason,
  'meanwhile', e.mitigation, 'until', (e.valid_to AT TIME ZONE 'UTC')::date::text,
  'days', ceil(extract(epoch FROM e.valid_to - e.valid_from) / 86400)::int::text)
FROM sod_sodexception e JOIN sod_sodrule r ON r.id = e.rule_id JOIN access_user u ON u.id = e.user_id
WHERE e.id = $1
"""

ACTS = [
    Act(
        code="sod.exception.approve",
        label="Approve an exception to a segregation rule",
        model="sod.SodException",
        service="o2c.controls.sod.services.exceptions.approve",
        duty="sod.exception.request",
        does="sod.exception.decide",
        administrative=True,
        facts=FACTS,
        table="sod_sodexception",
        reached="{row}.state = 'approved'",
        lineage=(
            Lineage("sod.SodException", "h.id = $1", ("user_id", "reason", "mitigation", "requested_by_id")),
        ),
        amount="",
        labels={
            "user": "For",
            "rule": "Rule",
            "risk": "Risk",
            "severity": "Severity",
            "why": "Why",
            "meanwhile": "What somebody else does meanwhile",
            "days": "Days",
            "until": "Until",
        },
    )
]

_WATCHES = (("days", "up"), ("meanwhile", "change"), ("user", "change"))

POLICIES: dict[str, dict[str, Any]] = {
    "sod.exception.approve": {
        "title": "Exceptions to segregation rules",
        "clause": (
            "An exception is decided by neither the beneficiary nor whoever asked (S52). One of more than 30"
            " days is decided by an approver who reviews access and by the controller."
        ),
        "bands": bands("days", ("30", ()), (None, ("reviewer", "controller"))),
        "steps": [
            step("reviewer", "Reviewer of access", "sod.review.decide", *_WATCHES),
            step("controller", "Controller", "sod.exception.decide", *_WATCHES),
        ],
    }
}
