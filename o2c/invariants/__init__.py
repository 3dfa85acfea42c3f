"""Invariants: SQL queries that must return no row, run in tests, every night, and on a page.

An app declares them in `<app>/invariants.py`:

    from o2c.invariants import invariant

    @invariant("billing.no-double-charge", "No service day of a segment is billed twice")
    def no_double_charge() -> str:
        return "SELECT a.id AS charge, b.id AS other FROM billing_charge a JOIN billing_charge b ON …"

Every row that the query returns is a violation; its columns should name the record and the figures that
disagree.
"""

from o2c.invariants.registry import Invariant, all_invariants, autodiscover, invariant

__all__ = ["Invariant", "all_invariants", "autodiscover", "invariant"]
