"""Roles that govern the controls themselves are given with the agreement of somebody who holds one (S49)."""

from __future__ import annotations

import datetime as dt
from typing import Any

from o2c.actor import INSTALLER_ID
from o2c.controls.approvals.declaring import rule, step
from o2c.controls.approvals.registry import Act

APPROVE = "access.grant.approve"
GOVERNING = (
    "access.grant.approve",
    "access.role.grant",
    "access.role.maintain",
    "approvals.policy.activate",
    "approvals.policy.draft",
    "approvals.request.decide",
    "breakglass.session.authorise",
    "breakglass.session.review",
    "sod.exception.decide",
    "sod.review.decide",
    "sod.review.open",
    "sod.review.sign",
)

# Whether anybody else could ever agree, by history: also who is away, disabled, or lost the role since. Only
# while there was never anybody is nobody asked, so that the first can come; otherwise an administrator would
# disable the last controller for as long as it takes.
ABLE = f"""(SELECT least(count(*), 1) FROM access_historicalrolegrant x
  JOIN access_historicalroleduty y ON y.role_id = x.role_id AND y.duty = '{APPROVE}'
  JOIN access_user p ON p.id = x.user_id AND p.kind <> 'service'
  WHERE p.id NOT IN (g.user_id, g.granted_by_id)
    AND greatest(x.history_date, y.history_date) <= {{moment}})"""

FACTS = f"""
SELECT jsonb_build_object(
  'user', u.username, 'role', r.code,
  'until', coalesce((g.valid_to AT TIME ZONE 'UTC')::date::text, 'no end'),
  'duties', (SELECT count(*) FROM access_roleduty d WHERE d.role_id = r.id)::text,
  'governs', EXISTS (SELECT 1 FROM access_roleduty d WHERE d.role_id = r.id
                     AND d.duty IN ({", ".join(f"'{duty}'" for duty in GOVERNING)}))::text,
  'able', {ABLE.format(moment="clock_timestamp()")}::text)
FROM access_rolegrant g JOIN access_user u ON u.id = g.user_id JOIN access_role r ON r.id = g.role_id
WHERE g.id = $1
"""


def _moment(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)


ACTS = [
    Act(
        code="access.role.grant",
        label="Give a role that governs the controls",
        model="access.User",
        service="o2c.access.services.grants.grant_to",
        duty="access.role.grant",
        does="access.role.grant",
        runs_as="maker",
        administrative=True,
        facts=FACTS,
        table="access_rolegrant",
        # Accounts of the product get their roles while it is installed, before there are policies.
        reached=f"current_setting('o2c.actor_id', true) IS DISTINCT FROM '{INSTALLER_ID}'",
        proposes=True,
        parameters={"valid_to": _moment},
        amount="",
        labels={
            "user": "For",
            "role": "Role",
            "until": "Until",
            "duties": "Duties",
            "governs": "Governs the controls",
            "able": "Somebody else could ever agree (1: yes)",
        },
    )
]

POLICIES: dict[str, dict[str, Any]] = {
    "access.role.grant": {
        "title": "Roles that govern the controls",
        "clause": (
            "A role that decides requests, drafts policies or puts them in force, decides exceptions, reviews"
            " access, lends emergency access or gives roles is given by an administrator and agreed to by a"
            " controller. Only until there was ever another controller is nobody asked; from then on a grant"
            " waits until one can agree."
        ),
        "rules": [
            rule(
                "governs",
                "The role governs the controls",
                ("controller",),
                ("governs", "=", "true"),
                ("able", ">", "0"),
            )
        ],
        "steps": [
            step(
                "controller", "Controller", APPROVE, ("user", "change"), ("role", "change"), ("duties", "up")
            )
        ],
    }
}
