"""Exceptions are asked for by whoever runs the team and decided by the controller; reviews likewise."""

DUTIES = {
    "sod.exception.request": "Ask for an exception to a segregation rule",
    "sod.exception.decide": "Approve or reject an exception for somebody else",
    "sod.review.open": "Open an access review",
    "sod.review.decide": "Keep or revoke somebody else's access in a review",
    "sod.review.sign": "Sign an access review off",
    "sod.review.lapse": "Revoke what nobody decided before the deadline of a review",
}

ROLE_DUTIES = {
    "admin": ["sod.exception.request", "sod.review.open"],
    "approver": ["sod.exception.request", "sod.review.decide"],
    "controller": ["sod.exception.decide", "sod.review.decide", "sod.review.sign", "sod.review.lapse"],
    "automation": ["sod.review.lapse"],
}
