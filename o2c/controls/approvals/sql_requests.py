"""What the database holds about requests, steps and delegations themselves, whatever code writes them.

A decision is worth what it is about: the request names who really asked, its steps ask for the duty that the
policy names, its values change only with a new round, its state follows from its decisions, and a delegation
is given by one and accepted by the other. SQLSTATE OC006.
"""

from __future__ import annotations

from o2c.audit.triggers import Trigger, always
from o2c.controls.sod.borrowing import borrowed_function

# Who acts, as the service sees it: the person, or the person for whom an account asks.
MYSELF = """
CREATE OR REPLACE FUNCTION o2c_is_me(person bigint) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN person IN (
    o2c_actor(), coalesce(nullif(current_setting('o2c.on_behalf_of_id', true), '')::bigint, o2c_actor()));
END $$
"""

DECIDED = """
CREATE OR REPLACE FUNCTION o2c_request_decided(asked approvals_request) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE content jsonb; wanted text; needed int; have int;
BEGIN
  SELECT p.content INTO content FROM approvals_policy p WHERE p.id = asked.policy_id AND p.act = asked.act;
  IF content IS NULL THEN RETURN 'its policy'; END IF;
  FOR wanted IN SELECT o2c_approval_steps(content, asked.facts) LOOP
    SELECT coalesce((step->>'approvers')::int, 1) INTO needed
    FROM jsonb_array_elements(content->'steps') AS s(step) WHERE step->>'code' = wanted;
    SELECT count(DISTINCT d.decided_by_id) INTO have FROM approvals_decision d
    WHERE d.request_id = asked.id AND d.round = asked.round AND d.step_code = wanted
      AND d.facts_digest = asked.facts_digest AND d.verdict IN ('approve', 'carried');
    IF have < needed THEN RETURN format('step "%s"', wanted); END IF;
  END LOOP;
  RETURN '';
END $$
"""

ASKED = """
CREATE OR REPLACE FUNCTION o2c_request_asked() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT o2c_is_me(NEW.requested_by_id) THEN
    RAISE EXCEPTION 'A request names who asks: user % is not who is acting', NEW.requested_by_id
      USING ERRCODE = 'OC006', TABLE = TG_TABLE_NAME;
  END IF;
  IF NEW.round <> 1 OR NEW.lapses_at IS NOT NULL
     OR NEW.facts_digest <> o2c_facts_digest(NEW.facts) OR NOT EXISTS (
       SELECT 1 FROM approvals_policy p WHERE p.id = NEW.policy_id AND p.act = NEW.act
       AND p.state <> 'draft' AND (p.valid_from IS NULL OR p.valid_from <= clock_timestamp())) THEN
    RAISE EXCEPTION 'A request begins in round 1, under a policy of its act, bound to its facts'
      USING ERRCODE = 'OC006', TABLE = TG_TABLE_NAME;
  END IF;
  RETURN NEW;
END $$
"""

CHANGED = """
CREATE OR REPLACE FUNCTION o2c_request_changed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE lacks text := '';
BEGIN
  IF NEW.round <> OLD.round AND (NEW.round <> OLD.round + 1 OR NEW.state <> 'open')
     OR NEW.round = OLD.round AND ROW(NEW.facts, NEW.effects, NEW.facts_digest, NEW.digest, NEW.policy_id,
          NEW.amount, NEW.currency, NEW.excluded, NEW.reason) IS DISTINCT FROM
        ROW(OLD.facts, OLD.effects, OLD.facts_digest, OLD.digest, OLD.policy_id,
          OLD.amount, OLD.currency, OLD.excluded, OLD.reason)
     OR NEW.facts_digest <> o2c_facts_digest(NEW.facts)
     OR NOT EXISTS (SELECT 1 FROM approvals_policy p WHERE p.id = NEW.policy_id AND p.act = NEW.act
                    AND p.state <> 'draft'
                    AND (p.valid_from IS NULL OR p.valid_from <= clock_timestamp())) THEN
    RAISE EXCEPTION 'What request % is about changes only with a new round', OLD.id
      USING ERRCODE = 'OC006', TABLE = TG_TABLE_NAME;
  END IF;
  IF NEW.lapses_at IS DISTINCT FROM OLD.lapses_at AND NOT (
       OLD.lapses_at IS NULL AND NEW.state IN ('stale', 'approved') AND NEW.lapses_at > clock_timestamp()
       OR NEW.lapses_at IS NULL AND NEW.round > OLD.round) THEN
    RAISE EXCEPTION 'The last day of request % stays as it was set', OLD.id
      USING ERRCODE = 'OC006', TABLE = TG_TABLE_NAME;
  END IF;
  IF NEW.state = OLD.state THEN RETURN NEW; END IF;
  IF NEW.state IN ('approved', 'committed') THEN
    lacks := o2c_request_decided(NEW);
    IF NEW.state = 'committed' AND NEW.committed_txid IS DISTINCT FROM pg_current_xact_id()::text::bigint THEN
      lacks := 'the transaction that does it';
    END IF;
  ELSIF NEW.state = 'rejected' AND NOT EXISTS (
      SELECT 1 FROM approvals_decision d WHERE d.request_id = NEW.id AND d.round = NEW.round
      AND d.verdict = 'reject') THEN
    lacks := 'the decision of whoever rejects it';
  ELSIF NEW.state = 'recalled' AND NOT o2c_is_me(NEW.requested_by_id) THEN
    lacks := 'whoever asked, who alone takes it back';
  ELSIF NEW.state = 'expired' AND OLD.state <> 'open' THEN
    IF OLD.lapses_at IS NULL OR OLD.lapses_at > NEW.decided_at THEN
      lacks := 'a last day that is over';
    END IF;
  ELSIF NEW.state = 'expired' AND NOT EXISTS (
      SELECT 1 FROM approvals_step s WHERE s.request_id = NEW.id AND s.round = NEW.round
      AND s.opened_at IS NOT NULL AND s.done_at IS NULL AND s.expire_at <= NEW.decided_at) THEN
    lacks := 'a step that waited too long';
  END IF;
  IF lacks <> '' THEN
    RAISE EXCEPTION 'Request % is not %: it lacks %', NEW.id, NEW.state, lacks
      USING ERRCODE = 'OC006', TABLE = TG_TABLE_NAME;
  END IF;
  RETURN NEW;
END $$
"""

STEP = """
CREATE OR REPLACE FUNCTION o2c_step_of_policy() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF NOT EXISTS (
        SELECT 1 FROM approvals_request r JOIN approvals_policy p ON p.id = r.policy_id AND p.act = r.act
        CROSS JOIN LATERAL jsonb_array_elements(p.content->'steps') AS s(step)
        WHERE r.id = NEW.request_id AND r.round = NEW.round AND s.step->>'code' = NEW.code
          AND s.step->>'duty' = NEW.duty
          AND coalesce((s.step->>'approvers')::int, 1) = NEW.approvers) THEN
      RAISE EXCEPTION 'Step "%" of request % is not as its policy says', NEW.code, NEW.request_id
        USING ERRCODE = 'OC006', TABLE = TG_TABLE_NAME;
    END IF;
  ELSIF OLD.opened_at IS NOT NULL AND ROW(NEW.opened_at, NEW.remind_at, NEW.escalate_at, NEW.expire_at)
        IS DISTINCT FROM ROW(OLD.opened_at, OLD.remind_at, OLD.escalate_at, OLD.expire_at)
     OR OLD.done_at IS NOT NULL AND NEW.done_at IS DISTINCT FROM OLD.done_at
     OR OLD.escalated_at IS NOT NULL AND ROW(NEW.escalated_at, NEW.escalated_to)
        IS DISTINCT FROM ROW(OLD.escalated_at, OLD.escalated_to) THEN
    RAISE EXCEPTION 'The clock of step "%" of request % runs as it was set', NEW.code, NEW.request_id
      USING ERRCODE = 'OC006', TABLE = TG_TABLE_NAME;
  END IF;
  RETURN NEW;
END $$
"""

# What a delegation lends are the duties of steps that the delegator holds. Both are asked about them: nobody
# lends what they may not hold themselves.
LENT = """
CREATE OR REPLACE FUNCTION o2c_delegation_broken(giver bigint, taker bigint)
RETURNS TABLE (person bigint, rule text, duty_a text, duty_b text) LANGUAGE plpgsql STABLE AS $$
DECLARE lent text[];
BEGIN
  SELECT array_agg(DISTINCT s.step->>'duty') INTO lent
  FROM approvals_policy p CROSS JOIN LATERAL jsonb_array_elements(p.content->'steps') AS s(step)
  WHERE p.state = 'active' AND o2c_person_holds(giver, s.step->>'duty');
  RETURN QUERY SELECT giver, b.* FROM o2c_sod_borrowed(giver, coalesce(lent, '{}')) b;
  RETURN QUERY SELECT taker, b.* FROM o2c_sod_borrowed(taker, ARRAY(
    SELECT d FROM unnest(lent) AS d WHERE NOT o2c_person_holds(taker, d))) b;
END $$
"""

DELEGATED = """
CREATE OR REPLACE FUNCTION o2c_delegation_signed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE me bigint := o2c_actor(); bad record;
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF NEW.delegator_id <> me OR NEW.accepted_at IS NOT NULL OR NEW.revoked_at IS NOT NULL THEN
      RAISE EXCEPTION 'A delegation is given by the delegator and accepted by the delegate'
        USING ERRCODE = 'OC006', TABLE = TG_TABLE_NAME;
    END IF;
    RETURN NEW;
  END IF;
  IF NEW.accepted_at IS DISTINCT FROM OLD.accepted_at
       AND (OLD.accepted_at IS NOT NULL OR OLD.revoked_at IS NOT NULL OR NEW.delegate_id <> me)
     OR NEW.revoked_at IS DISTINCT FROM OLD.revoked_at
       AND (OLD.revoked_at IS NOT NULL OR me NOT IN (NEW.delegator_id, NEW.delegate_id)) THEN
    RAISE EXCEPTION 'Delegation % is accepted by the delegate and ended by one of the two, once', NEW.id
      USING ERRCODE = 'OC006', TABLE = TG_TABLE_NAME;
  END IF;
  IF NEW.accepted_at IS DISTINCT FROM OLD.accepted_at THEN
    SELECT * INTO bad FROM o2c_delegation_broken(NEW.delegator_id, NEW.delegate_id) LIMIT 1;
    IF FOUND THEN
      RAISE EXCEPTION '%: by delegation % % would hold both % and %', bad.rule, NEW.id,
        (SELECT username FROM access_user WHERE id = bad.person), bad.duty_a, bad.duty_b
        USING ERRCODE = 'OC007', TABLE = TG_TABLE_NAME;
    END IF;
  END IF;
  RETURN NEW;
END $$
"""


# What is lent is asked about again when either gets a further role, and when a policy asks for other duties.
STILL_LENT = """
CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE lent record; bad record;
BEGIN
  FOR lent IN SELECT d.id, d.delegator_id, d.delegate_id FROM approvals_delegation d
      WHERE d.accepted_at IS NOT NULL AND d.revoked_at IS NULL AND d.valid_to > clock_timestamp()
        AND {concerned} LOOP
    SELECT * INTO bad FROM o2c_delegation_broken(lent.delegator_id, lent.delegate_id) LIMIT 1;
    IF FOUND THEN
      RAISE EXCEPTION '%: with delegation % % would hold both % and %', bad.rule, lent.id,
        (SELECT username FROM access_user WHERE id = bad.person), bad.duty_a, bad.duty_b
        USING ERRCODE = 'OC007', TABLE = TG_TABLE_NAME, HINT = 'End the delegation first';
    END IF;
  END LOOP;
  RETURN NULL;
END $$
"""


def _still_lent(table: str, event: str, concerned: str) -> Trigger:
    name = f"o2c_still_lent_{table}"
    make = (
        f"CREATE OR REPLACE TRIGGER {name} AFTER {event} ON {table} REFERENCING NEW TABLE AS new_rows"
        f" FOR EACH STATEMENT EXECUTE FUNCTION {name}()"
    )
    function = STILL_LENT.format(name=name, concerned=concerned)
    return Trigger(table, name, (function, make, always(table, name)))


def _guard(table: str, name: str, function: str, operations: str, before: tuple[str, ...]) -> Trigger:
    make = (
        f"CREATE OR REPLACE TRIGGER {name} BEFORE {operations} ON {table}"
        f" FOR EACH ROW EXECUTE FUNCTION {function}()"
    )
    return Trigger(table, name, (*before, make, always(table, name)))


def request_triggers(before: tuple[str, ...]) -> list[Trigger]:
    """Of requests, steps and delegations. `before`: the functions that these call."""
    asked, changed = "o2c_request_asked", "o2c_request_changed"
    return [
        _guard("approvals_request", asked, asked, "INSERT", (*before, MYSELF, DECIDED, ASKED)),
        _guard("approvals_request", changed, changed, "UPDATE", (CHANGED,)),
        _guard("approvals_step", "o2c_step_of_policy", "o2c_step_of_policy", "INSERT OR UPDATE", (STEP,)),
        _guard(
            "approvals_delegation",
            "o2c_delegation_signed",
            "o2c_delegation_signed",
            "INSERT OR UPDATE",
            (borrowed_function(), LENT, DELEGATED),
        ),
        _still_lent(
            "access_rolegrant",
            "INSERT",
            "EXISTS (SELECT FROM new_rows n WHERE n.user_id IN (d.delegator_id, d.delegate_id))",
        ),
        _still_lent("approvals_policy", "UPDATE", "EXISTS (SELECT FROM new_rows n WHERE n.state = 'active')"),
    ]
