"""The engine's own rules are under approval too: a policy is put in force by a request of its own.

Shipped versions are put in force by whoever installs the product.
"""

from __future__ import annotations

from typing import Any

from o2c.controls.approvals.registry import Act, Lineage

POLICY_FACTS = """
SELECT jsonb_build_object(
  'act', p.act, 'version', p.version::text, 'title', p.title, 'content', p.content,
  'from', coalesce(to_char(p.valid_from AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'), 'at once'),
  'governs_policies', (p.act = 'approvals.policy.activate')::text)
FROM approvals_policy p WHERE p.id = $1
"""

ACTS = [
    Act(
        code="approvals.policy.activate",
        label="Put an approval policy in force",
        model="approvals.Policy",
        service="o2c.controls.approvals.services.policies.activate",
        duty="approvals.policy.draft",
        does="approvals.policy.activate",
        administrative=True,
        facts=POLICY_FACTS,
        table="approvals_policy",
        reached="{row}.state = 'active' AND NOT {row}.shipped",
        lineage=(Lineage("approvals.Policy", "h.id = $1", ("content", "title", "valid_from")),),
        amount="",
        labels={"act": "Governs", "from": "In force from (UTC)", "content": "Policy", "version": "Version"},
    )
]

POLICIES: dict[str, dict[str, Any]] = {
    "approvals.policy.activate": {
        "title": "Changes of approval policies",
        "clause": (
            "A policy is put in force by a controller who neither wrote it nor asked for it. Who may change"
            " which approvals are needed could otherwise remove them (S48)."
        ),
        "rules": [
            {
                "code": "always",
                "because": "Every policy is put in force by somebody else",
                "when": [{"path": "version", "op": ">", "value": "0"}],
                "steps": ["controller"],
            }
        ],
        "steps": [
            {
                "code": "controller",
                "title": "Controller",
                "duty": "approvals.policy.activate",
                "approvers": 1,
                "watches": [{"path": path, "worse": "change"} for path in ("content", "act", "from")],
            }
        ],
    }
}
