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
WHERE NOT t.tgisinternal AND c.relnamespace = ANY ('{public,o2c_private}'::regnamespace[])
UNION ALL
SELECT 'function ' || p.oid::regprocedure, concat_ws(' ', pg_get_functiondef(p.oid), p.proowner::regrole,
       (SELECT string_agg(a::text, ' ' ORDER BY a::text) FROM unnest(p.proacl) a)), age(p.xmin)
FROM pg_proc p
WHERE p.pronamespace = ANY ('{public,o2c_private}'::regnamespace[]) AND p.prokind = 'f'
  AND NOT EXISTS (SELECT FROM pg_depend d
    WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
UNION ALL
SELECT 'constraint ' || k.conrelid::regclass || '.' || k.conname,
       k.convalidated::text || ' ' || pg_get_constraintdef(k.oid), age(k.xmin)
FROM pg_constraint k WHERE k.connamespace = 'public'::regnamespace AND k.conrelid <> 0 AND k.contype <> 'n'
UNION ALL
SELECT 'index ' || i.indexrelid::regclass, i.indisvalid || ' ' || pg_get_indexdef(i.indexrelid), NULL
FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
WHERE i.indisunique AND c.relnamespace = 'public'::regnamespace
  AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid)
UNION ALL
SELECT 'table ' || c.oid::regclass, concat_ws(' ', c.relkind, c.relowner::regrole, c.relrowsecurity,
  c.relforcerowsecurity, (SELECT string_agg(a::text, ' ' ORDER BY a::text) FROM unnest(c.relacl) a),
  (SELECT string_agg(k.attname || k.attacl::text, ' ' ORDER BY k.attname) FROM pg_attribute k
   WHERE k.attrelid = c.oid AND k.attacl IS NOT NULL),
  (SELECT string_agg(h.inhrelid::regclass || '<' || h.inhparent::regclass, ' ' ORDER BY h.inhrelid)
   FROM pg_inherits h WHERE c.oid IN (h.inhparent, h.inhrelid)),
  (SELECT string_agg(pg_get_ruledef(r.oid), ' ' ORDER BY r.rulename) FROM pg_rewrite r
   WHERE r.ev_class = c.oid),
  (SELECT string_agg(concat_ws(' ', y.polname, y.polcmd, y.polroles, pg_get_expr(y.polqual, y.polrelid),
   pg_get_expr(y.polwithcheck, y.polrelid)), ' ' ORDER BY y.polname) FROM pg_policy y
   WHERE y.polrelid = c.oid)), NULL
FROM pg_class c
WHERE c.relnamespace = ANY ('{public,o2c_private}'::regnamespace[])
  AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT EXISTS (SELECT FROM pg_depend d
    WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
UNION ALL
SELECT 'role ' || r.rolname, concat_ws(' ', r.rolsuper, r.rolcreaterole, r.rolcreatedb, r.rolreplication,
  r.rolbypassrls, (SELECT string_agg(m.roleid::regrole::text, ' ' ORDER BY m.roleid::regrole::text)
                   FROM pg_auth_members m WHERE m.member = r.oid)), NULL
FROM pg_roles r WHERE r.rolname IN ('o2c_owner', 'o2c_app', 'o2c_auditor')
UNION ALL
SELECT 'setting of ' || coalesce(nullif(s.setrole, 0)::regrole::text, 'everybody'), said, NULL
FROM pg_db_role_setting s CROSS JOIN unnest(s.setconfig) said
WHERE (s.setdatabase = 0 OR s.setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database()))
  AND split_part(said, '=', 1) IN ('search_path', 'row_security', 'session_replication_role')
UNION ALL
SELECT 'layout ' || l.table_name || ' ' || l.id, ROW(l.*)::text, age(l.xmin)
FROM audit_layout l
UNION ALL
SELECT 'signing key ' || id, id, NULL FROM o2c_private.actor_key
"""
RECORDS = """
SELECT digest, changed, age((xid % 4294967296)::text::xid),
       to_char(recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI')
FROM audit_guardrecord ORDER BY id
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
    for _, changed, _, at in records:
        known |= changed
        report.guards.append(f"{at} UTC, {len(changed)} changed" if changed else f"{at} UTC, only touched")
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
        if age is not None and age < records[-1][2] and name not in differ
    }
    told(report, "guard-touched", newer)
    said = {record[0] for record in records}
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
