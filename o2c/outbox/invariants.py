"""What always holds about events."""

from o2c.invariants import invariant


@invariant("outbox.nothing-stuck", "No event waits for a person, and none is overdue by an hour")
def nothing_stuck() -> str:
    return """
    SELECT id AS delivery, consumer, aggregate, state, attempts, left(error, 200) AS error
    FROM outbox_delivery
    WHERE state = 'stuck' OR (state = 'pending' AND due_at < now() - interval '1 hour')
    """


@invariant("outbox.order-kept", "No delivery overtakes an older one of its aggregate")
def order_kept() -> str:
    return """
    SELECT older.id AS waiting, newer.id AS done, newer.consumer, newer.aggregate
    FROM outbox_delivery older JOIN outbox_delivery newer
      ON newer.consumer = older.consumer AND newer.aggregate = older.aggregate AND newer.id > older.id
    WHERE older.state <> 'done' AND newer.state = 'done'
    """
