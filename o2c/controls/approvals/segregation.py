"""Which function of the segregation matrix each duty of approvals belongs to."""

FUNCTIONS = {
    "POL.EDIT": ["approvals.policy.draft"],
    "POL.ACTIVATE": ["approvals.policy.activate"],
}

NEUTRAL = [
    # The request itself keeps makers and deciders apart: by the hands in its values, not by role.
    "approvals.request.submit",
    "approvals.request.decide",
    "approvals.delegation.give",
    "approvals.calendar.maintain",
    "approvals.timer.run",
]
