"""Who may not decide about a record because a rule keeps the deciding duty apart from what they did to it.

The transaction rules refuse whoever does the second half on one lineage. A decision is such a half too: who
entered
an order does not agree to its credit, even when somebody else carries the credit out. One database function
per subject answers who that is; eligibility and the decision table both ask it.
"""

from __future__ import annotations

from collections.abc import Iterator

from o2c.audit.triggers import lit
from o2c.controls.sod import evidence, paths
from o2c.controls.sod.declare import Act, declared
from o2c.controls.sod.evidence import Check
from o2c.controls.sod.rules import RULES


def apart_function(name: str, label: str) -> str:
    """SQL of `name(subject, duty)`: (person, rule) whom a rule keeps from deciding with the duty."""
    blocks = []
    for function, duties in sorted(declared().functions.items()):
        parts = list(dict.fromkeys(_part(check) for check in _checks(label.lower(), function)))
        if parts:
            named = ", ".join(lit(duty) for duty in sorted(duties))
            union = "\n    UNION ".join(parts)
            blocks.append(f"  IF duty IN ({named}) THEN RETURN QUERY\n    {union};\n  END IF;\n")
    return (
        f"CREATE OR REPLACE FUNCTION {name}(record bigint, duty text)"
        " RETURNS TABLE (person bigint, rule text) LANGUAGE plpgsql STABLE AS $$\nBEGIN\n"
        + "".join(blocks)
        + "  RETURN;\nEND $$"
    )


def _checks(label: str, function: str) -> Iterator[Check]:
    """What decides about a record of `label` with `function` may not have been done by the same person."""
    deciding = Act(label, "insert")
    for rule in RULES:
        if "transaction" not in rule.kinds:
            continue
        for mine, other in ((rule.a, rule.b), (rule.b, rule.a)):
            if function not in mine:
                continue
            for before_function in other:
                for before in declared().acts.get(before_function, ()):
                    for path in ("", *declared().paths(label)):
                        if paths.target(label, path)._meta.label_lower == before.model:
                            yield Check(rule, function, deciding, before_function, before, label, path)


def _part(check: Check) -> str:
    actor, behalf = evidence.actor_column(check), evidence.behalf(check)
    return (
        f"SELECT unnest(ARRAY[{actor}, {behalf}])::bigint, {lit(check.rule.code)}"
        f" FROM {evidence.source(check, 'record')} AND {evidence.happened(check.before)}"
    )
