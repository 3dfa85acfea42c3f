"""Who writes the rules of approval neither puts them in force nor decides under them (S48)."""

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
