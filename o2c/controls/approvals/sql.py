"""What the database holds by itself: it evaluates the policy in force on the facts as they are at commit.

The functions here say the same as `domain/policy.py`; a property test compares the two. They are the last
line: a row reaches a controlled state only with the decisions that its own facts need, whatever code wrote
it. SQLSTATE OC005: nothing can be approved (no policy, or one that cannot be evaluated); OC006: not approved.
"""

from __future__ import annotations

from django.apps import apps

from o2c.audit.triggers import Trigger, always, lit
from o2c.controls.approvals.registry import Act, Lineage
from o2c.controls.approvals.sql_requests import MYSELF, request_triggers
from o2c.controls.sod.barring import apart_function

HOLDS = """
CREATE OR REPLACE FUNCTION o2c_approval_holds(facts jsonb, condition jsonb) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  said text := facts #>> string_to_array(condition->>'path', '.');
  op text := condition->>'op';
  wanted jsonb := condition->'value';
BEGIN
  IF said IS NULL THEN
    RAISE EXCEPTION 'The facts do not say %, which the policy asks about', condition->>'path'
      USING ERRCODE = 'OC005';
  END IF;
  CASE op
    WHEN '>' THEN RETURN said::numeric > (wanted #>> '{}')::numeric;
    WHEN '>=' THEN RETURN said::numeric >= (wanted #>> '{}')::numeric;
    WHEN '<' THEN RETURN said::numeric < (wanted #>> '{}')::numeric;
    WHEN '<=' THEN RETURN said::numeric <= (wanted #>> '{}')::numeric;
    WHEN '=' THEN RETURN said = (wanted #>> '{}');
    WHEN '!=' THEN RETURN said <> (wanted #>> '{}');
    WHEN 'in' THEN RETURN said IN (SELECT jsonb_array_elements_text(wanted));
    WHEN 'not in' THEN RETURN said NOT IN (SELECT jsonb_array_elements_text(wanted));
    ELSE RAISE EXCEPTION '% is no operator of a policy', op USING ERRCODE = 'OC005';
  END CASE;
END $$
"""

STEPS = """
CREATE OR REPLACE FUNCTION o2c_approval_steps(content jsonb, facts jsonb) RETURNS SETOF text
LANGUAGE plpgsql STABLE AS $$
DECLARE
  levels jsonb := content->'bands'->'levels';
  chosen jsonb;
BEGIN
  IF levels IS NOT NULL AND jsonb_array_length(levels) > 0 THEN
    SELECT level INTO chosen FROM jsonb_array_elements(levels) WITH ORDINALITY AS l(level, n)
    WHERE level->>'up_to' IS NULL
       OR o2c_approval_holds(facts, jsonb_build_object('path', content->'bands'->>'path', 'op', '<=',
                                                       'value', level->'up_to'))
    ORDER BY n LIMIT 1;
    IF chosen IS NULL THEN
      RAISE EXCEPTION 'No band of the policy reaches the value' USING ERRCODE = 'OC005';
    END IF;
    PERFORM (facts #>> string_to_array(content->'bands'->>'path', '.'))::numeric;
    IF facts #>> string_to_array(content->'bands'->>'path', '.') IS NULL THEN
      RAISE EXCEPTION 'The facts do not say %, which the policy asks about', content->'bands'->>'path'
        USING ERRCODE = 'OC005';
    END IF;
  END IF;
  RETURN QUERY
    SELECT step->>'code' FROM jsonb_array_elements(content->'steps') AS s(step)
    WHERE chosen->'steps' ? (step->>'code')
       OR EXISTS (
         SELECT 1 FROM jsonb_array_elements(coalesce(content->'rules', '[]')) AS r(rule)
         WHERE rule->'steps' ? (step->>'code')
           AND NOT EXISTS (
             SELECT 1 FROM jsonb_array_elements(rule->'when') AS c(condition)
             WHERE NOT o2c_approval_holds(facts, condition)));
END $$
"""

WORSENED = """
CREATE OR REPLACE FUNCTION o2c_approval_worsened(watches jsonb, old jsonb, new jsonb) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  watch jsonb; was jsonb; now jsonb;
  number constant text := '^-?[0-9]+([.][0-9]+)?$';
BEGIN
  FOR watch IN SELECT * FROM jsonb_array_elements(watches) LOOP
    was := old #> string_to_array(watch->>'path', '.');
    now := new #> string_to_array(watch->>'path', '.');
    CONTINUE WHEN was IS NOT DISTINCT FROM now;
    IF watch->>'worse' = 'change' OR coalesce(was #>> '{}', '') !~ number
       OR coalesce(now #>> '{}', '') !~ number THEN
      RETURN true;
    END IF;
    IF watch->>'worse' = 'up' AND (now #>> '{}')::numeric > (was #>> '{}')::numeric
       OR watch->>'worse' = 'down' AND (now #>> '{}')::numeric < (was #>> '{}')::numeric THEN
      RETURN true;
    END IF;
  END LOOP;
  RETURN false;
END $$
"""

DIGEST = """
CREATE OR REPLACE FUNCTION o2c_facts_digest(facts jsonb) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT encode(sha256(convert_to(facts::text, 'UTF8')), 'hex')
$$
"""

HOLDER = """
CREATE OR REPLACE FUNCTION o2c_person_holds(person bigint, wanted text) RETURNS boolean
LANGUAGE sql STABLE AS $$
  SELECT EXISTS (
    SELECT 1 FROM access_rolegrant g
    JOIN access_roleduty d ON d.role_id = g.role_id AND d.duty = wanted
    JOIN access_user u ON u.id = g.user_id AND u.is_active AND u.kind = 'human'
    WHERE g.user_id = person AND g.valid_from <= clock_timestamp()
      AND (g.valid_to IS NULL OR g.valid_to > clock_timestamp()))
$$
"""

# The version that applies at this moment; `PolicyQuerySet.in_force` says the same.
NOW = """
CREATE OR REPLACE FUNCTION o2c_policy_now(wanted_act text) RETURNS jsonb LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN (SELECT p.content FROM approvals_policy p
          WHERE p.act = wanted_act AND p.state = 'active'
            AND (p.valid_from IS NULL OR p.valid_from <= clock_timestamp())
          ORDER BY greatest(p.valid_from, p.activated_at) DESC, p.version DESC LIMIT 1);
END $$
"""

# The trigger of a controlled table: at commit, the decisions that the row's facts need must be there.
CONTROLLED = """
CREATE OR REPLACE FUNCTION o2c_approved() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  wanted_act text := TG_ARGV[0];
  said jsonb; policy jsonb; wanted_step text; needed int; have int; asked approvals_request%ROWTYPE;
BEGIN
  policy := o2c_policy_now(wanted_act);
  IF policy IS NULL THEN
    RAISE EXCEPTION 'No approval policy is in force for %: nothing of it can be approved', wanted_act
      USING ERRCODE = 'OC005', TABLE = TG_TABLE_NAME;
  END IF;
  EXECUTE format('SELECT %I($1)', TG_ARGV[1]) INTO said USING NEW.id;
  IF said IS NULL THEN
    RETURN NULL;  -- the row is gone again
  END IF;
  SELECT * INTO asked FROM approvals_request r
  WHERE r.act = wanted_act AND r.result_id = NEW.id AND r.state = 'committed'
    AND r.committed_txid = pg_current_xact_id()::text::bigint
    AND r.facts_digest = o2c_facts_digest(said)
  ORDER BY r.id DESC LIMIT 1;
  FOR wanted_step IN SELECT o2c_approval_steps(policy, said) LOOP
    SELECT coalesce((step->>'approvers')::int, 1) INTO needed
    FROM jsonb_array_elements(policy->'steps') AS s(step) WHERE step->>'code' = wanted_step;
    SELECT count(DISTINCT d.decided_by_id) INTO have FROM approvals_decision d
    JOIN approvals_step s ON s.id = d.step_id AND s.duty = (
      SELECT step->>'duty' FROM jsonb_array_elements(policy->'steps') AS p(step)
      WHERE step->>'code' = wanted_step)
    WHERE d.request_id = asked.id AND d.round = asked.round AND d.step_code = wanted_step
      AND d.facts_digest = asked.facts_digest AND d.verdict IN ('approve', 'carried')
      AND NOT EXISTS (SELECT 1 FROM approvals_decision n
                      WHERE n.request_id = asked.id AND n.round = asked.round AND n.verdict = 'reject');
    IF have < needed THEN
      RAISE EXCEPTION 'Row % of % needs % approval(s) of step "%" for %, and has % of these values',
        NEW.id, TG_TABLE_NAME, needed, wanted_step, wanted_act, have
        USING ERRCODE = 'OC006', TABLE = TG_TABLE_NAME;
    END IF;
  END LOOP;
  IF asked.id IS NOT NULL AND clock_timestamp() < (
       SELECT max(d.recorded_at) FROM approvals_decision d
       WHERE d.request_id = asked.id AND d.verdict IN ('approve', 'carried')
     ) + make_interval(hours => coalesce((policy->>'cooling_hours')::int, 0)) THEN
    RAISE EXCEPTION 'Row % of % was approved, and its cooling-off of % hours is not over',
      NEW.id, TG_TABLE_NAME, policy->>'cooling_hours' USING ERRCODE = 'OC006', TABLE = TG_TABLE_NAME;
  END IF;
  RETURN NULL;
END $$
"""

# The decision table refuses whoever may not decide, whatever code writes it.
DECIDES = """
CREATE OR REPLACE FUNCTION o2c_may_decide() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  asked approvals_request%ROWTYPE; step approvals_step%ROWTYPE; first approvals_decision%ROWTYPE;
  person bigint; why text := NULL; hands bigint[]; content jsonb; rule text;
BEGIN
  SELECT * INTO asked FROM approvals_request WHERE id = NEW.request_id FOR UPDATE;
  IF asked.state <> 'open' OR NEW.round <> asked.round OR NEW.facts_digest <> asked.facts_digest
     OR NEW.digest <> asked.digest THEN
    RAISE EXCEPTION 'Request % is % in round %: a decision is about its values as they are',
      asked.id, asked.state, asked.round USING ERRCODE = 'OC006';
  END IF;
  IF NEW.verdict IN ('question', 'answer') THEN
    IF NEW.decided_by_id <> o2c_actor()
       OR NEW.verdict = 'answer' AND NOT o2c_is_me(asked.requested_by_id) THEN
      RAISE EXCEPTION 'User % says nothing of request %: they are not who is acting, or did not ask for it',
        NEW.decided_by_id, asked.id USING ERRCODE = 'OC006';
    END IF;
    RETURN NEW;
  END IF;
  SELECT * INTO step FROM approvals_step WHERE id = NEW.step_id;
  IF step.request_id <> asked.id OR step.round <> NEW.round OR step.code <> NEW.step_code THEN
    RAISE EXCEPTION 'The step is not of this round' USING ERRCODE = 'OC006';
  END IF;
  EXECUTE format('SELECT array_agg(a) FROM %I($1) AS a', 'o2c_authors_' || replace(asked.act, '.', '_'))
    INTO hands USING asked.subject_id;
  hands := coalesce(hands, '{}') || asked.requested_by_id || asked.excluded;
  IF NEW.verdict = 'carried' THEN
    SELECT * INTO first FROM approvals_decision WHERE id = NEW.original_id;
    SELECT p.content INTO content FROM approvals_policy p WHERE p.id = asked.policy_id;
    IF first.request_id <> NEW.request_id OR first.step_code <> NEW.step_code
       OR first.decided_by_id <> NEW.decided_by_id OR first.verdict <> 'approve' THEN
      why := 'does not repeat the approval that it names';
    ELSIF (SELECT o2c_approval_worsened(s.step->'watches', r.facts, asked.facts)
           FROM jsonb_array_elements(content->'steps') AS s(step), approvals_round r
           WHERE s.step->>'code' = NEW.step_code AND r.request_id = asked.id AND r.number = first.round) THEN
      why := 'approved values that have become worse since';
    END IF;
  ELSIF NEW.decided_by_id <> o2c_actor() THEN
    why := 'is not who is acting';
  END IF;
  FOREACH person IN ARRAY array_remove(ARRAY[NEW.decided_by_id, NEW.delegator_id], NULL) LOOP
    IF person = ANY(hands) THEN
      why := 'asked for it, or wrote what is to be approved';
    END IF;
    EXECUTE format('SELECT min(c.rule) FROM %I($1, $2) c LEFT JOIN access_user u ON u.id = c.person'
                   ' WHERE $3 IN (c.person, u.owner_id)'
                   ' AND cardinality(o2c_sod_me(ARRAY[c.person], c.rule)) > 0',
                   'o2c_apart_' || replace(asked.act, '.', '_'))
      INTO rule USING asked.subject_id, step.duty, person;
    IF rule IS NOT NULL THEN
      why := 'is kept from it by rule ' || rule;
    END IF;
  END LOOP;
  person := coalesce(NEW.delegator_id, NEW.decided_by_id);
  IF NOT o2c_person_holds(person, step.duty) THEN
    why := 'does not hold the duty ' || step.duty;
  END IF;
  IF (NEW.delegator_id IS NULL) <> (NEW.delegation_id IS NULL)
     OR NEW.delegation_id IS NOT NULL AND NOT EXISTS (
       SELECT 1 FROM approvals_delegation g JOIN access_user u ON u.id = g.delegate_id
       WHERE g.id = NEW.delegation_id AND g.delegator_id = NEW.delegator_id
         AND g.delegate_id = NEW.decided_by_id AND u.is_active AND u.kind = 'human'
         AND g.accepted_at IS NOT NULL AND g.revoked_at IS NULL
         AND clock_timestamp() >= g.valid_from AND clock_timestamp() < g.valid_to) THEN
    why := 'has no delegation in force';
  END IF;
  IF why IS NOT NULL THEN
    RAISE EXCEPTION 'User % may not decide request %: %', NEW.decided_by_id, asked.id, why
      USING ERRCODE = 'OC006';
  END IF;
  RETURN NEW;
END $$
"""

# A version in force by itself ('shipped') comes only from whoever owns the tables.
SHIPPED = """
CREATE OR REPLACE FUNCTION o2c_policy_shipped() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT pg_has_role(current_user, (SELECT relowner FROM pg_class WHERE oid = TG_RELID), 'USAGE') THEN
    RAISE EXCEPTION 'A policy is drafted by one person and put in force by another' USING ERRCODE = 'OC006';
  END IF;
  RETURN NEW;
END $$
"""

# When it was put in force is when that was: of two versions the later one applies.
DATED = """
CREATE OR REPLACE FUNCTION o2c_policy_dated() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.activated_at := clock_timestamp();
  RETURN NEW;
END $$
"""

# Fails closed without it, but not for everybody at one person's word. One that waits for its date stays too.
IN_FORCE = """
CREATE OR REPLACE FUNCTION o2c_policy_in_force() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (
      SELECT 1 FROM approvals_policy p WHERE p.act = NEW.act AND p.state = 'active'
      AND (p.valid_from IS NULL OR p.valid_from <= clock_timestamp())
      AND greatest(p.valid_from, p.activated_at) >= greatest(OLD.valid_from, OLD.activated_at)) THEN
    RAISE EXCEPTION 'A policy of % goes only when another version comes into force', NEW.act
      USING ERRCODE = 'OC006', TABLE = TG_TABLE_NAME;
  END IF;
  RETURN NULL;
END $$
"""


def kernel_triggers() -> list[Trigger]:
    """Of the engine's own tables."""
    decides = (
        "CREATE OR REPLACE TRIGGER o2c_may_decide BEFORE INSERT ON approvals_decision"
        " FOR EACH ROW EXECUTE FUNCTION o2c_may_decide()"
    )
    shipped = (
        "CREATE OR REPLACE TRIGGER o2c_shipped BEFORE INSERT ON approvals_policy"
        " FOR EACH ROW WHEN (NEW.shipped OR NEW.state <> 'draft') EXECUTE FUNCTION o2c_policy_shipped()"
    )
    stays = (
        "DROP TRIGGER IF EXISTS o2c_stays_in_force ON approvals_policy",
        "CREATE CONSTRAINT TRIGGER o2c_stays_in_force AFTER UPDATE ON approvals_policy"
        " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (OLD.state = 'active' AND NEW.state <> 'active')"
        " EXECUTE FUNCTION o2c_policy_in_force()",
        always("approvals_policy", "o2c_stays_in_force"),
    )
    dated = (
        "CREATE OR REPLACE TRIGGER o2c_policy_dated BEFORE UPDATE ON approvals_policy"
        " FOR EACH ROW WHEN (OLD.state <> 'active' AND NEW.state = 'active')"
        " EXECUTE FUNCTION o2c_policy_dated()"
    )
    functions = (WORSENED, HOLDER, MYSELF, DECIDES)
    return [
        *request_triggers((HOLDS, STEPS, DIGEST)),
        Trigger(
            "approvals_decision",
            "o2c_may_decide",
            (*functions, decides, always("approvals_decision", "o2c_may_decide")),
        ),
        Trigger("approvals_policy", "o2c_stays_in_force", (IN_FORCE, *stays)),
        Trigger(
            "approvals_policy",
            "o2c_policy_dated",
            (DATED, dated, always("approvals_policy", "o2c_policy_dated")),
        ),
        Trigger(
            "approvals_policy", "o2c_shipped", (SHIPPED, shipped, always("approvals_policy", "o2c_shipped"))
        ),
    ]


def act_triggers(act: Act) -> list[Trigger]:
    """Of the table that an act controls: deferred to commit, on insert and on update."""
    suffix = act.code.replace(".", "_")
    reached = act.reached.replace("{row}", "NEW")
    if act.changes:
        new = ", ".join(f"NEW.{column}" for column in act.changes)
        old = ", ".join(f"OLD.{column}" for column in act.changes)
        moved = f"ROW({new}) IS DISTINCT FROM ROW({old}) AND ({reached})"
    else:
        moved = f"({reached}) AND NOT ({act.reached.replace('{row}', 'OLD')})"
    # An app may be installed before this one: what its trigger calls must be there.
    apart = apart_function(act.apart_function, act.model)
    functions = (HOLDS, STEPS, DIGEST, NOW, CONTROLLED, facts_function(act), authors(act), apart)
    made = [_constraint(act, f"o2c_now_{suffix}"[:63], "UPDATE", moved, functions)]
    born = act.born.replace("{row}", "NEW") if act.changes else reached
    if born:
        made.append(_constraint(act, f"o2c_new_{suffix}"[:63], "INSERT", born, ()))
    return made


def _constraint(act: Act, name: str, op: str, when: str, before: tuple[str, ...]) -> Trigger:
    # A constraint trigger cannot be replaced, only dropped and made again.
    drop = f"DROP TRIGGER IF EXISTS {name} ON {act.table}"
    make = (
        f"CREATE CONSTRAINT TRIGGER {name} AFTER {op} ON {act.table} DEFERRABLE INITIALLY DEFERRED"
        f" FOR EACH ROW WHEN ({when})"
        f" EXECUTE FUNCTION o2c_approved({lit(act.code)}, {lit(act.function)})"
    )
    return Trigger(act.table, name, (*before, drop, make, always(act.table, name)))


def facts_function(act: Act) -> str:
    return (
        f"CREATE OR REPLACE FUNCTION {act.function}(bigint) RETURNS jsonb LANGUAGE plpgsql STABLE AS $$\n"
        f"BEGIN RETURN ({act.facts}); END $$"
    )


def authors(act: Act) -> str:
    """Everybody whose hand is in the subject since it was last carried out, and who answers for accounts."""
    parts = [_hands(act, lineage) for lineage in act.lineage] or ["SELECT NULL::bigint WHERE false"]
    union = "\nUNION\n".join(parts)
    return f"""
CREATE OR REPLACE FUNCTION {act.authors_function}(bigint) RETURNS SETOF bigint
LANGUAGE plpgsql STABLE AS $$
BEGIN RETURN QUERY
  WITH hands(id) AS ({union})
  SELECT hands.id FROM hands WHERE hands.id > 0
  UNION SELECT u.owner_id FROM access_user u JOIN hands ON hands.id = u.id WHERE u.owner_id IS NOT NULL;
END $$
"""


def _hands(act: Act, lineage: Lineage) -> str:
    history = apps.get_model(lineage.model).history.model._meta.db_table  # type: ignore[attr-defined]
    values = ", ".join(f"h.{column}" for column in lineage.columns)
    return f"""
SELECT unnest(ARRAY[w.history_user_id, w.history_on_behalf_of_id]) FROM (
  SELECT h.history_user_id, h.history_on_behalf_of_id, h.history_txid, h.history_type,
         jsonb_build_array({values}) AS said,
         lag(jsonb_build_array({values})) OVER (PARTITION BY h.id ORDER BY h.history_id) AS was
  FROM {history} h WHERE {lineage.rows}
) w
WHERE (w.history_type <> '~' OR w.said IS DISTINCT FROM w.was)
  AND w.history_txid > coalesce((SELECT max(r.committed_txid) FROM approvals_request r
      WHERE r.act = {lit(act.code)} AND r.subject_id = $1 AND r.state = 'committed'), 0)"""
