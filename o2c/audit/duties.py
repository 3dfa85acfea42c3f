"""The chain of seals. Reading it is the app's reading duty."""

DUTIES = {
    "audit.chain.seal": "Seal history and write anchors",
    "audit.chain.continue": "Begin a new epoch of the chain after a restore",
}

ROLE_DUTIES = {
    "automation": ["audit.chain.seal"],
    "admin": ["audit.chain.seal", "audit.chain.continue"],
}
