"""Writes, one act each: lock, check, change, record, publish. Keyword-only actor, as-of date and reason."""
