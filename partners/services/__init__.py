"""Writes: one act each, always lock, check, change, record, publish."""
