"""Who uses emergency access neither opens nor reviews it (S51)."""

from o2c.controls.sod.declare import Act

FUNCTIONS = {
    "BG.USE": ["breakglass.session.request"],
    "BG.REVIEW": ["breakglass.session.authorise", "breakglass.session.review"],
}

ACTS = {
    "BG.USE": [Act("breakglass.session", "insert")],
    "BG.REVIEW": [Act("breakglass.session", "move", to=("open", "reviewed"))],
}
