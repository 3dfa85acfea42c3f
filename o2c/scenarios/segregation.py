"""A preview leaves nothing behind."""

NEUTRAL = ["scenarios.deal.preview"]
