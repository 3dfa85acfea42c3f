"""The control over the controls: who asks for an exception or access does not decide it (S52)."""

from o2c.controls.sod.declare import Act

FUNCTIONS = {
    "SEC.EXCEPTION": ["sod.exception.request", "sod.review.open"],
    "SEC.CERTIFY": ["sod.exception.decide", "sod.review.decide", "sod.review.sign"],
}

# Decides nothing: the deadline was set when the review was opened.
NEUTRAL = ["sod.review.lapse"]

LINEAGE = {"sod.reviewitem": ["campaign"]}

ACTS = {
    "SEC.EXCEPTION": [Act("sod.sodexception", "insert"), Act("sod.campaign", "insert")],
    "SEC.CERTIFY": [
        Act("sod.sodexception", "move", to=("approved",)),
        Act("sod.campaign", "move", to=("signed",)),
        Act("sod.reviewitem", "move", to=("kept", "revoked")),
    ],
}
