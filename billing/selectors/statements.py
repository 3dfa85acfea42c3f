"""The account of a customer with one entity in one currency: what moved it, in order."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal

from django.db import connection

ZERO = Decimal(0)

# Applications of receipts and credit memos move nothing: the receipt and the memo did.
MOVES = """
SELECT on_date, sort, reference, what, amount FROM (
  SELECT i.issue_date AS on_date, 1 AS sort, i.number AS reference,
         CASE i.kind WHEN 'credit_memo' THEN 'Credit memo' WHEN 'debit_memo' THEN 'Debit memo'
           ELSE 'Invoice' END
           || CASE WHEN i.po_number <> '' THEN ', PO ' || i.po_number ELSE '' END AS what, i.total AS amount
  FROM billing_invoice i
  WHERE i.state = 'posted' AND i.channel = 'direct' AND i.customer_id = %(customer)s
    AND i.entity_id = %(entity)s AND i.currency = %(currency)s
  UNION ALL
  SELECT r.received_on, 2, r.number,
         'Payment received' || CASE WHEN r.reference <> '' THEN ', ' || r.reference ELSE '' END, -r.amount
  FROM billing_receipt r
  WHERE r.customer_id = %(customer)s AND r.entity_id = %(entity)s AND r.currency = %(currency)s
  UNION ALL
  SELECT r.reversed_on, 3, r.number, 'Payment returned', r.amount
  FROM billing_receipt r
  WHERE r.state = 'reversed' AND r.customer_id = %(customer)s AND r.entity_id = %(entity)s
    AND r.currency = %(currency)s
  UNION ALL
  SELECT a.applied_on, 5, f.number, CASE WHEN a.amount > 0 THEN 'Refund' ELSE 'Refund returned' END, a.amount
  FROM billing_application a JOIN billing_refund f ON f.id = a.refund_id
  WHERE f.customer_id = %(customer)s AND f.entity_id = %(entity)s AND f.currency = %(currency)s
  UNION ALL
  SELECT a.applied_on, 4, i.number, 'Adjustment', -a.amount
  FROM billing_application a JOIN billing_invoice i ON i.id = a.invoice_id
  WHERE a.kind IN ('short_pay', 'write_off') AND i.channel = 'direct' AND i.customer_id = %(customer)s
    AND i.entity_id = %(entity)s AND i.currency = %(currency)s
) moves WHERE amount <> 0 AND on_date <= %(as_of)s
ORDER BY on_date, sort, reference
"""


@dataclass(frozen=True, slots=True)
class Move:
    """One movement of the account; `balance` is the balance after it."""

    on: dt.date
    reference: str
    what: str
    amount: Decimal
    balance: Decimal


@dataclass(frozen=True, slots=True)
class Account:
    """The account over `[since, as_of]`: balance before, the moves, balance after."""

    opening: Decimal
    moves: tuple[Move, ...]
    closing: Decimal


def account(customer_id: int, entity_id: int, currency: str, *, since: dt.date, as_of: dt.date) -> Account:
    """Every movement up to the end of `as_of`; those before `since` are summed into the opening."""
    with connection.cursor() as cursor:
        cursor.execute(
            MOVES,
            {"customer": customer_id, "entity": entity_id, "currency": currency, "as_of": as_of},
        )
        rows = cursor.fetchall()
    balance = opening = ZERO
    moves: list[Move] = []
    for on, _, reference, what, amount in rows:
        balance += amount
        if on < since:
            opening = balance
        else:
            moves.append(Move(on, reference, what, amount, balance))
    return Account(opening, tuple(moves), balance)
