"""What the database itself refuses: both sides of a rule in one hand, at the grant and at the transaction.

Generated from the same rules and declarations as everything else. The tables are read when a guard runs, so a
rule that is switched off there is off here. SQLSTATE OC007.
"""

from __future__ import annotations

from collections.abc import Iterator

from django.apps import AppConfig

from o2c.audit.triggers import Trigger, always, lit, q
from o2c.controls.sod import evidence, paths
from o2c.controls.sod.evidence import Check

INTERNAL = "(u.kind = 'service' AND u.username IN ({names}))"

PEOPLE_FUNCTION = """
CREATE OR REPLACE FUNCTION o2c_sod_people() RETURNS bigint[] LANGUAGE plpgsql STABLE AS $$
DECLARE acting bigint[] := array_remove(ARRAY[
    nullif(current_setting('o2c.actor_id', true), '')::bigint,
    nullif(current_setting('o2c.on_behalf_of_id', true), '')::bigint], NULL);
  people bigint[];
BEGIN
  SELECT array_agg(DISTINCT who) INTO people FROM (
    SELECT u.id AS who FROM access_user u WHERE u.id = ANY(acting) AND NOT {internal}
    UNION SELECT u.owner_id FROM access_user u JOIN access_user o ON o.id = u.owner_id AND o.is_active
          WHERE u.id = ANY(acting) AND NOT {internal}
  ) behind;
  IF people IS NULL THEN RETURN '{{}}'; END IF;
  RETURN people || ARRAY(SELECT u.id FROM access_user u WHERE u.owner_id = ANY(people)
                         AND NOT u.id = ANY(people) AND NOT {internal});
END $$
"""

ME_FUNCTION = """
CREATE OR REPLACE FUNCTION o2c_sod_me(people bigint[], wanted text) RETURNS bigint[]
LANGUAGE plpgsql STABLE AS $$
DECLARE found_id bigint;
BEGIN
  SELECT id INTO found_id FROM sod_sodrule WHERE code = wanted AND (at_transaction OR window_days > 0);
  IF NOT FOUND OR EXISTS (
    SELECT 1 FROM sod_sodexception e WHERE e.rule_id = found_id AND e.user_id = ANY(people)
      AND e.state = 'approved' AND clock_timestamp() >= e.valid_from AND clock_timestamp() < e.valid_to
  ) THEN RETURN '{}'; END IF;
  RETURN ARRAY(SELECT u.id FROM access_user u WHERE u.id = ANY(people) AND NOT (
    u.kind = 'service' AND EXISTS (
      SELECT 1 FROM access_rolegrant g JOIN access_role r ON r.id = g.role_id
      JOIN sod_machinemitigation m ON m.role = r.code AND m.rule IN (wanted, '*')
      WHERE g.user_id = u.id AND (g.valid_to IS NULL OR g.valid_to > clock_timestamp()))));
END $$
"""

CONFLICTS_FUNCTION = """
CREATE OR REPLACE FUNCTION o2c_sod_conflicts(people bigint[], extra_holder bigint, extra_roles bigint[])
RETURNS TABLE (person bigint, rule text, holder_a bigint, role_a text, duty_a text,
               holder_b bigint, role_b text, duty_b text) LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN QUERY
  WITH principal AS (
    SELECT u.id AS holder, u.kind,
           CASE WHEN u.kind = 'service' AND o.is_active THEN o.id ELSE u.id END AS person
    FROM access_user u LEFT JOIN access_user o ON o.id = u.owner_id WHERE NOT {internal}
  ), given AS (
    SELECT p.person, p.holder, p.kind, g.role_id, tstzrange(g.valid_from, g.valid_to) AS during
    FROM principal p JOIN access_rolegrant g ON g.user_id = p.holder
    WHERE p.person = ANY(people) AND (g.valid_to IS NULL OR g.valid_to > clock_timestamp())
    UNION ALL
    SELECT p.person, p.holder, p.kind, added, tstzrange(clock_timestamp(), NULL)
    FROM principal p CROSS JOIN unnest(extra_roles) AS added WHERE p.holder = extra_holder
  ), held AS MATERIALIZED (
    SELECT g.person, g.holder, g.kind, g.during, r.code AS role, d.duty, f.function
    FROM given g JOIN access_role r ON r.id = g.role_id JOIN access_roleduty d ON d.role_id = g.role_id
    JOIN sod_functionduty f ON f.duty = d.duty
  ), excused AS MATERIALIZED (
    SELECT e.rule_id, e.user_id FROM sod_sodexception e
    WHERE e.state = 'approved' AND clock_timestamp() >= e.valid_from AND clock_timestamp() < e.valid_to
  ), sided AS MATERIALIZED (
    SELECT h.*, s.rule_id, s.side FROM held h JOIN sod_sodside s ON s.function = h.function
    WHERE NOT EXISTS (SELECT FROM excused x WHERE x.rule_id = s.rule_id AND x.user_id = h.person)
      AND NOT EXISTS (SELECT FROM excused x WHERE x.rule_id = s.rule_id AND x.user_id = h.holder)
  )
  SELECT DISTINCT a.person, u.code::text, a.holder, a.role::text, a.duty::text,
         b.holder, b.role::text, b.duty::text
  FROM sided a JOIN sided b ON b.rule_id = a.rule_id AND b.person = a.person AND b.during && a.during
  JOIN sod_sodrule u ON u.id = a.rule_id AND u.at_grant
  WHERE a.side = 'a' AND b.side = 'b'
    AND NOT (a.holder = b.holder AND a.kind = 'service' AND a.role = b.role AND EXISTS (
      SELECT 1 FROM sod_machinemitigation m WHERE m.role = a.role AND m.rule IN (u.code, '*')));
END $$
"""

REFUSE_GRANT = """
  IF FOUND THEN
    RAISE EXCEPTION '%: % would hold both % (role %) and % (role %)', bad.rule,
      (SELECT username FROM access_user WHERE id = bad.person), bad.duty_a, bad.role_a, bad.duty_b, bad.role_b
      USING ERRCODE = 'OC007', TABLE = TG_TABLE_NAME;
  END IF;
  RETURN NULL;
END $$
"""

PERSON_OF = """
  SELECT array_agg(DISTINCT CASE WHEN u.kind = 'service' AND o.is_active THEN o.id ELSE u.id END) INTO people
  FROM access_user u LEFT JOIN access_user o ON o.id = u.owner_id WHERE u.id IN
"""

# (table, operations, what is new, which of the conflicts concern it)
GRANT_GUARDS = (
    (
        "access_rolegrant",
        ("INSERT", "UPDATE"),
        "(SELECT user_id FROM new_rows)",
        "EXISTS (SELECT 1 FROM new_rows n JOIN access_role r ON r.id = n.role_id"
        " WHERE (n.user_id, r.code::text) IN ((c.holder_a, c.role_a), (c.holder_b, c.role_b)))",
    ),
    (
        "access_roleduty",
        ("INSERT", "UPDATE"),
        "(SELECT g.user_id FROM new_rows n JOIN access_rolegrant g ON g.role_id = n.role_id)",
        "EXISTS (SELECT 1 FROM new_rows n JOIN access_role r ON r.id = n.role_id"
        " WHERE (r.code::text, n.duty::text) IN ((c.role_a, c.duty_a), (c.role_b, c.duty_b)))",
    ),
    (
        "access_user",
        ("UPDATE",),
        "(SELECT n.id FROM new_rows n JOIN old_rows w ON w.id = n.id"
        " WHERE n.owner_id IS DISTINCT FROM w.owner_id OR n.is_active AND NOT w.is_active)",
        "true",
    ),
)


def _internal() -> str:
    from o2c.access.services.accounts import INTERNAL_ACCOUNTS

    return INTERNAL.format(names=", ".join(lit(name) for name in sorted(INTERNAL_ACCOUNTS)))


def shared_functions() -> tuple[str, ...]:
    """The functions that every guard below calls."""
    internal = _internal()
    return (
        PEOPLE_FUNCTION.format(internal=internal),
        ME_FUNCTION,
        CONFLICTS_FUNCTION.format(internal=internal),
    )


def _made(table: str, name: str, operation: str, body: str) -> Trigger:
    function = q(f"o2c_{name}_{table}")
    referencing = (
        "NEW TABLE AS new_rows" if operation == "INSERT" else "OLD TABLE AS old_rows NEW TABLE AS new_rows"
    )
    make = (
        f"CREATE OR REPLACE TRIGGER o2c_{name} AFTER {operation} ON {q(table)}"
        f" REFERENCING {referencing} FOR EACH STATEMENT EXECUTE FUNCTION {function}()"
    )
    define = f"CREATE OR REPLACE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS $$\n{body}"
    return Trigger(table, f"o2c_{name}", (*shared_functions(), define, make, always(table, f"o2c_{name}")))


def _grant_guards() -> Iterator[Trigger]:
    for table, operations, users, concerns in GRANT_GUARDS:
        for operation in operations:
            body = (
                "DECLARE people bigint[]; bad record;\nBEGIN"
                + PERSON_OF
                + f"{users};\n  IF people IS NULL THEN RETURN NULL; END IF;\n"
                + "  SELECT c.* INTO bad FROM o2c_sod_conflicts(people, NULL, '{}') c"
                + f" WHERE {concerns} ORDER BY c.rule LIMIT 1;"
                + REFUSE_GRANT
            )
            yield _made(table, f"sod_held_{operation.lower()}", operation, body)


def _refusal(check: Check, operation: str) -> str:
    """The part of a trigger's body that holds one check; '' when the operation never does the act."""
    condition = evidence.happening(check.now, operation)
    if condition is None:
        return ""
    key = q(paths.key_column(paths.model_of(check.now.model)))
    rows = f"new_rows n JOIN old_rows o ON o.{key} = n.{key}" if operation == "UPDATE" else "new_rows n"
    actor, behalf = evidence.actor_column(check), evidence.behalf(check)
    message = evidence.sentence(check).replace("%s", "%")
    return f"""
  IF EXISTS (SELECT 1 FROM {rows} WHERE {condition}) THEN
    me := o2c_sod_me(people, {lit(check.rule.code)});
    IF cardinality(me) > 0 THEN
      SELECT n.{key} AS id, found.who INTO bad FROM {rows} CROSS JOIN LATERAL (
        SELECT CASE WHEN {actor} = ANY(me) THEN {actor} ELSE {behalf} END AS who
        FROM {evidence.source(check, f"n.{key}")}
          AND {evidence.happened(check.before)} AND ({actor} = ANY(me) OR {behalf} = ANY(me)) LIMIT 1
      ) found WHERE {condition} LIMIT 1;
      IF FOUND THEN
        RAISE EXCEPTION {lit(message + " [" + check.now.model + ":%]")},
          (SELECT username FROM access_user WHERE id = bad.who), bad.id
          USING ERRCODE = 'OC007', TABLE = TG_TABLE_NAME;
      END IF;
    END IF;
  END IF;"""


def _transaction_guards() -> Iterator[Trigger]:
    by_model: dict[str, list[Check]] = {}
    for check in evidence.checks():
        by_model.setdefault(check.now.model, []).append(check)
    for label, listed in sorted(by_model.items()):
        table = paths.model_of(label)._meta.db_table
        for operation in ("INSERT", "UPDATE"):
            parts = [part for part in dict.fromkeys(_refusal(check, operation) for check in listed) if part]
            if parts:
                body = (
                    "DECLARE people bigint[] := o2c_sod_people(); me bigint[]; bad record;\nBEGIN\n"
                    "  IF cardinality(people) = 0 THEN RETURN NULL; END IF;"
                    + "".join(parts)
                    + "\n  RETURN NULL;\nEND $$\n"
                )
                yield _made(table, f"sod_{operation.lower()}", operation, body)


def triggers_for(config: AppConfig) -> list[Trigger]:
    """The guards on the tables of one app."""
    tables = {model._meta.db_table for model in config.get_models(include_auto_created=True)}
    made = [*_grant_guards(), *_transaction_guards()]
    return [trigger for trigger in made if trigger.table in tables]
