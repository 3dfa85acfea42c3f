"""What the database's guards are: their code, whether they are on, and when that last changed.

Whoever owns the database can switch a trigger off or replace a function, do what it forbids and put it back.
So `migrate` records the fingerprint of every guard when it has installed them; the record is a sealed fact,
anchors sign its digest, and the verifier compares both with what it finds, and with the transaction that last
touched each guard. The list of changes is what an auditor compares with the releases.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

from django.apps import AppConfig, apps
from django.db import connection

from o2c.actor import Actor, acting
from o2c.audit.domain.blocks import length_prefixed
from o2c.audit.models import GuardRecord

# Name, definition and the age of the transaction that wrote it (nothing where the server itself writes anew).
# Functions of extensions are not ours. Of `audit_layout`, what the digest of a leaf does not cover is covered
# here. A table is told with what decides who sees which rows of it: owner, rights, children, rules, policies.
LIVE = """
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
AGE = "SELECT age((%s::bigint %% 4294967296)::text::xid)"


def live() -> tuple[dict[str, str], int]:
    """The SHA-256 of every guard as it is now, by its name; and the age of the newest, in transactions."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL timezone = 'UTC'; SET LOCAL datestyle = 'ISO, YMD'")
        cursor.execute(LIVE)
        rows = cursor.fetchall()
    hashes = {name: hashlib.sha256(said.encode()).hexdigest() for name, said, _ in rows}
    return hashes, min(age for _, _, age in rows if age is not None)


def digest(parts: dict[str, str]) -> str:
    """One fingerprint of all: SHA-256 over the names and hashes in their order."""
    words = [word for name in sorted(parts) for word in (name, parts[name])]
    return hashlib.sha256(length_prefixed(words)).hexdigest()


def fold(records: Iterable[GuardRecord]) -> dict[str, str]:
    """What records say together, the oldest first: each holds what changed, and "" for what is gone."""
    parts: dict[str, str] = {}
    for record in records:
        parts |= record.changed
    return {name: value for name, value in parts.items() if value}


def kinds(changed: dict[str, str], before: dict[str, str]) -> dict[str, list[str]]:
    """The names of a record's changes by what became of them, against what the records before it say.

    In both nothing stands for what is gone.
    """
    return {
        "added": sorted(name for name, value in changed.items() if value and not before.get(name)),
        "changed": sorted(name for name, value in changed.items() if value and before.get(name)),
        "removed": sorted(name for name, value in changed.items() if not value),
    }


def record(reason: str = "guards were installed") -> GuardRecord | None:
    """Record the guards as they are. None when they are, and were left, as they were recorded last.

    In a transaction of its own; only the owner of the tables may (what ships is theirs).
    """
    with acting(Actor.installer(), reason=reason):
        known = fold(GuardRecord.objects.order_by("id"))
        newest = GuardRecord.objects.order_by("-id").first()
        found, youngest = live()
        changed = {name: value for name, value in found.items() if known.get(name) != value}
        changed |= dict.fromkeys(known.keys() - found.keys(), "")
        if newest is not None and not changed and _age(newest) <= youngest:
            return None
        return GuardRecord.objects.create(digest=digest(found), guards=len(found), changed=changed)


def _age(record: GuardRecord) -> int:
    with connection.cursor() as cursor:
        cursor.execute(AGE, [record.xid])
        return int(cursor.fetchone()[0])


def record_after_all(sender: AppConfig, **kwargs: Any) -> None:
    """post_migrate of the last app: every app has installed its guards by then."""
    last = [config for config in apps.get_app_configs() if config.models_module is not None][-1]
    if sender == last and GuardRecord._meta.db_table in connection.introspection.table_names():
        record()
