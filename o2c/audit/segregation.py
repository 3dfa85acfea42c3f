"""Seals follow from the rows; whoever makes them can change nothing by it."""

NEUTRAL = ["audit.chain.seal", "audit.chain.continue"]
