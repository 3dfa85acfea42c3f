"""The guards of the database against what was recorded of them when they were installed."""

from __future__ import annotations

import hashlib
from typing import Any

import psycopg

from .hashes import length_prefixed
from .report import GAP, TAMPERED, Report

GUARDS = """
SELECT 'trigger ' || c.relname || '.' || t.tgname, t.tgenabled::text || ' ' || pg_get_triggerdef(t.oid),
       age(t.xmin)
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
WHERE NOT t.tgisinternal AND c.relnamespace = 'public'::regnamespace
UNION ALL
SELECT 'function ' || p.oid::regprocedure, pg_get_functiondef(p.oid), age(p.xmin)
FROM pg_proc p
WHERE p.pronamespace = 'public'::regnamespace AND p.prokind = 'f' AND NOT EXISTS (
  SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
UNION ALL
SELECT 'constraint ' || k.conrelid::regclass || '.' || k.conname,
       k.convalidated::text || ' ' || pg_get_constraintdef(k.oid), age(k.xmin)
FROM pg_constraint k WHERE k.connamespace = 'public'::regnamespace AND k.conrelid <> 0 AND k.contype <> 'n'
UNION ALL
SELECT 'layout ' || l.table_name || ' ' || l.id, ROW(l.*)::text, age(l.xmin)
FROM audit_layout l
"""
RECORDS = """
SELECT digest, changed, age((xid % 4294967296)::text::xid) FROM audit_guardrecord ORDER BY id
"""
NAMED = 5


def check_guards(connection: psycopg.Connection[Any], anchors: list[dict[str, Any]], report: Report) -> None:
    """Every guard is as the newest record says, no later transaction touched one, and what anchors signed
    was recorded.
    """
    records = connection.execute(RECORDS).fetchall()
    if not records:
        report.say(GAP, "guards-unrecorded", "Nothing says what the guards were when they were installed")
        return
    known: dict[str, str] = {}
    for _, changed, _ in records:
        known |= changed
    known = {name: value for name, value in known.items() if value}
    if fingerprint(known) != records[-1][0]:
        report.say(TAMPERED, "guards-rewritten", "The records of the guards do not add up to their digest")
    live = connection.execute(GUARDS).fetchall()
    found = {name: hashlib.sha256(said.encode()).hexdigest() for name, said, _ in live}
    both = found.keys() & known
    differ = {name: "is not what was installed" for name in both if found[name] != known[name]}
    differ |= {name: "was not installed by the product" for name in found if name not in known}
    differ |= {name: "is gone" for name in known if name not in found}
    told(report, "guard-differs", differ)
    newer = {
        name: "was replaced, or switched off and on, after it was installed"
        for name, _, age in live
        if age < records[-1][2] and name not in differ
    }
    told(report, "guard-touched", newer)
    said = {digest for digest, _, _ in records}
    signed = {anchor["body"]["guards"] for anchor in anchors if anchor["body"].get("guards")}
    if signed - said:
        report.say(TAMPERED, "guards-rewritten", "An anchor was signed over guards that no record tells of")


def told(report: Report, name: str, wrong: dict[str, str]) -> None:
    """The first few, and how many more."""
    for guard, text in sorted(wrong.items())[:NAMED]:
        report.say(TAMPERED, name, f"{guard} {text}")
    if len(wrong) > NAMED:
        report.say(TAMPERED, name, f"{len(wrong) - NAMED} further guards")


def fingerprint(parts: dict[str, str]) -> str:
    words = [word for name in sorted(parts) for word in (name, parts[name])]
    return hashlib.sha256(length_prefixed(words)).hexdigest()
