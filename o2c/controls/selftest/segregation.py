"""A self-test leaves nothing behind but its result."""

NEUTRAL = ["selftest.run.start"]
