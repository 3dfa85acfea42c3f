"""Which journal each event of revenue makes: the one table to read.

Sources: rows 5-9, 11, 18-21, 31, 33, 40-42 and 54 of the event-to-journal table of the revenue
reference. Every line against a contract carries its order line as reference, so that each balance can
be taken apart to the obligation. Amounts are signed: positive debits `debit` and credits `credit`.
"""

from __future__ import annotations

from dataclasses import dataclass

UNBILLED = "1110"
CONTRACT_ASSET = "1120"
CONTRACT_LIABILITY = "2100"
PREPAID = "2110"
REVENUE_USAGE = "4000"
REVENUE_SUBSCRIPTION = "4005"
REVENUE_SERVICES = "4008"
BREAKAGE = "4010"
CREDITS = "4920"
REALISED_FX = "7100"
UNREALISED_FX = "7110"

REVENUE_ACCOUNTS = (REVENUE_USAGE, REVENUE_SUBSCRIPTION, REVENUE_SERVICES, BREAKAGE, CREDITS)
BALANCES = (UNBILLED, CONTRACT_ASSET, CONTRACT_LIABILITY, PREPAID)


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of the table."""

    code: str
    event: str
    debit: tuple[str, ...]
    credit: tuple[str, ...]
    why: str


RULES: dict[str, Rule] = {
    rule.code: rule
    for rule in (
        Rule(
            "revenue.recognised",
            "Service that is billed in advance was given",
            (CONTRACT_LIABILITY,),
            (REVENUE_SUBSCRIPTION, REVENUE_SERVICES, REVENUE_USAGE),
            "Row 5. In a foreign currency at the rate of the invoices it comes from; what was given "
            "ahead of its invoice at the rate of the day.",
        ),
        Rule(
            "revenue.accrued",
            "Service that is billed in arrears was given, invoiced or not",
            (UNBILLED,),
            (REVENUE_USAGE, REVENUE_SUBSCRIPTION, REVENUE_SERVICES),
            "Rows 7, 9 and 11. Only time stands between us and the invoice; the invoice credits 1110.",
        ),
        Rule(
            "revenue.drawn_down",
            "A prepaid commitment was used",
            (PREPAID,),
            (REVENUE_USAGE,),
            "Row 40.",
        ),
        Rule(
            "revenue.breakage",
            "A prepaid commitment expired with something left",
            (PREPAID,),
            (BREAKAGE,),
            "Row 42, the remote method.",
        ),
        Rule(
            "revenue.credited",
            "A correcting credit memo takes back a price for service, given or not",
            (CREDITS,),
            (CONTRACT_LIABILITY, UNBILLED, PREPAID),
            "Rows 18, 19 and 21. The memo debited the balance whole; the part for service already "
            "recognised belongs to revenue, as its contra account.",
        ),
        Rule(
            "revenue.reallocated",
            "Invoices follow stated prices, revenue the allocated ones",
            (CONTRACT_LIABILITY, UNBILLED, PREPAID),
            (CONTRACT_LIABILITY, UNBILLED, PREPAID),
            "Row 54 without a clearing account: the part of a billed price that belongs to other obligations "
            "moves to them as it is billed. Sums to zero in every contract.",
        ),
        Rule(
            "revenue.asset",
            "At month end a contract as a whole is ahead of its invoices",
            (CONTRACT_ASSET,),
            (CONTRACT_LIABILITY,),
            "Row 6 and 606-10-45-1: the net debit of a contract is shown as an asset.",
        ),
        Rule(
            "revenue.asset_reversed",
            "First day of the month after",
            (CONTRACT_LIABILITY,),
            (CONTRACT_ASSET,),
            "The exact reversal of revenue.asset, so that invoices and revenue meet in 2100 again.",
        ),
        Rule(
            "revenue.fx_settled",
            "An invoice replaced service given ahead of it, at another rate",
            (CONTRACT_LIABILITY,),
            (REALISED_FX,),
            "Row 32 for the contract asset; functional currency only.",
        ),
        Rule(
            "revenue.fx_remeasured",
            "Month end, for unbilled receivables in a foreign currency",
            (UNBILLED,),
            (UNREALISED_FX, REALISED_FX),
            "Row 31 by difference to the closing rate; what is settled is realised. Contract liabilities "
            "are not monetary and are not touched (row 33).",
        ),
        Rule(
            "revenue.fx_open_items",
            "Month end, for cash, receivables and other open items in a foreign currency",
            ("1000", "1010", "1100", "1105", "1190", "2120", "2130", "2140", "2150"),
            (UNREALISED_FX,),
            "Row 31 by reversal: the account as a whole at the closing rate, functional currency only. "
            "Documents keep their own worth, which settling them realises (row 32).",
        ),
        Rule(
            "revenue.fx_reversed",
            "First day of the month after",
            (UNREALISED_FX,),
            ("1000", "1010", "1100", "1105", "1190", "2120", "2130", "2140", "2150"),
            "The exact reversal of revenue.fx_open_items.",
        ),
        Rule(
            "revenue.fx_swept",
            "A balance is zero in its own currency and not in the functional one",
            (CONTRACT_LIABILITY, PREPAID),
            (REALISED_FX,),
            "Nothing is stranded.",
        ),
    )
}


def balance_account(treatment: str, timing: str) -> str:
    """Where an order line stands against its invoices; the same rule as billing's invoice posting."""
    if treatment == "usage" or timing == "arrears":
        return UNBILLED
    return PREPAID if treatment == "prepaid_drawdown" else CONTRACT_LIABILITY


def revenue_account(kind: str) -> str:
    """The revenue account of a SKU kind."""
    return {"recurring": REVENUE_SUBSCRIPTION, "one_time": REVENUE_SERVICES}.get(kind, REVENUE_USAGE)


def rule_of(balance: str, kind: str) -> str:
    """The rule under which a slice of `kind` against `balance` posts."""
    if kind != "revenue":
        return {"credit": "revenue.credited", "breakage": "revenue.breakage"}[kind]
    return {
        UNBILLED: "revenue.accrued",
        PREPAID: "revenue.drawn_down",
        CONTRACT_LIABILITY: "revenue.recognised",
    }[balance]
