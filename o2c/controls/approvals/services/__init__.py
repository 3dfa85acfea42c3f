"""Writes: asking, deciding, carrying out, delegating, governing the policies, the clock."""
