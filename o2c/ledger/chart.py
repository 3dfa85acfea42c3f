"""The chart of accounts that the posting rules of the product use."""

from __future__ import annotations

from typing import Any

from o2c.actor import Actor, acting

# code, name, kind, contra, monetary, clearing
CHART = [
    ("1000", "Cash", "asset", False, True, False),
    ("1010", "Cash clearing", "asset", False, True, True),
    ("1100", "Accounts receivable", "asset", False, True, False),
    ("1105", "Marketplace receivable", "asset", False, True, False),
    ("1110", "Unbilled receivable", "asset", False, True, False),
    ("1120", "Contract asset", "asset", False, True, False),
    ("1190", "Allowance for credit losses", "asset", True, True, False),
    ("2100", "Contract liability", "liability", False, False, False),
    ("2110", "Prepaid commitment liability", "liability", False, False, False),
    ("2120", "Refund liability", "liability", False, True, False),
    ("2130", "Unapplied cash", "liability", False, True, False),
    ("2140", "Refunds payable", "liability", False, True, False),
    ("2150", "Tax payable", "liability", False, True, False),
    ("2190", "Reallocation clearing", "liability", False, False, True),
    ("4000", "Revenue: usage", "revenue", False, False, False),
    ("4005", "Revenue: subscriptions", "revenue", False, False, False),
    ("4008", "Revenue: services", "revenue", False, False, False),
    ("4010", "Revenue: breakage", "revenue", False, False, False),
    ("4920", "Credit notes", "revenue", True, False, False),
    ("6100", "Credit loss expense", "expense", False, False, False),
    ("6110", "Short payments", "expense", False, False, False),
    ("6200", "Marketplace fees", "expense", False, False, False),
    ("7100", "Realised exchange difference", "expense", False, False, False),
    ("7110", "Unrealised exchange difference", "expense", False, False, False),
    ("7190", "Rounding", "expense", False, False, False),
]


def sync(**kwargs: Any) -> None:
    """Add the accounts that are missing. After every migrate; a second call changes nothing."""
    from o2c.ledger.models import Account  # called while apps may still be loading

    known = set(Account.objects.values_list("code", flat=True))
    missing = [
        Account(code=code, name=name, kind=kind, contra=contra, monetary=monetary, clearing=clearing)
        for code, name, kind, contra, monetary, clearing in CHART
        if code not in known
    ]
    if missing:
        with acting(Actor.installer(), reason="Chart of accounts that ships with the product"):
            Account.objects.bulk_create(missing)
