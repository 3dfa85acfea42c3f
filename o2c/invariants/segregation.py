"""Running checks changes nothing."""

NEUTRAL = ["invariants.run.start"]
