"""A retry delivers what was decided before."""

NEUTRAL = ["outbox.delivery.retry"]
