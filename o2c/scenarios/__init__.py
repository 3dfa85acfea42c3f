"""Scenario files: a deal, what happens to it, and what must come out, in YAML that a finance person writes.

They run through the services of every app on a transaction that is rolled back. docs/scenarios.md is the
language; `tests/scenarios` is full of examples.
"""
