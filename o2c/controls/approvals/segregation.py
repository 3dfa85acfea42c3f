"""Who writes the rules of approval neither puts them in force nor decides under them (S48)."""

from o2c.controls.sod.declare import Act

FUNCTIONS = {
    "POL.EDIT": ["approvals.policy.draft"],
    "POL.ACTIVATE": ["approvals.policy.activate"],
    "POL.DECIDE": [
        "approvals.request.submit",
        "approvals.request.decide",
        "approvals.delegation.give",
    ],
}

# Holidays and reminders decide nothing.
NEUTRAL = ["approvals.calendar.maintain", "approvals.timer.run"]

LINEAGE = {"approvals.decision": ["request__policy"]}

ACTS = {
    "POL.EDIT": [Act("approvals.policy", "edit", {"state": ("draft",)})],
    "POL.ACTIVATE": [Act("approvals.policy", "move", to=("active",))],
    # Asking is not in it: whoever drafted a policy asks for its being put in force.
    "POL.DECIDE": [Act("approvals.decision", "insert", {"verdict": ("approve", "reject")})],
}
