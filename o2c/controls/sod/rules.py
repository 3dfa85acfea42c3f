"""The 52 rules of order-to-cash: what one person could do alone, and what the product does about it.

Data, versioned with the product; `manage.py migrate` copies it into the tables that pages and the database's
own guards read. A rule stands between two functions; which duties a function has, the apps say in their
`segregation.py`. A function without duties is work that the product does not do yet, or does not do itself:
its rules are here, and listed as waiting.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from o2c.controls.sod.functions import FINANCIAL

VERSION = "2026.11"

Kind = Literal["grant", "transaction", "window"]
G: Kind = "grant"
T: Kind = "transaction"
W: Kind = "window"


@dataclass(frozen=True)
class Rule:
    """`a` and `b` are codes of FUNCTIONS; after `a`, `b` is refused for `window_days` (kind window)."""

    code: str
    a: tuple[str, ...]
    b: tuple[str, ...]
    risk: str
    severity: Literal["H", "M"]
    kinds: tuple[Kind, ...]
    mitigation: str
    window_days: int = 0


_AR_POSTING = ("BIL.POST", "BIL.CREDIT_APPROVE", "WO.APPROVE", "GL.JE_APPROVE")
_JOURNAL = ("GL.JE_PREP", "GL.JE_APPROVE")
_SECOND_LOOK = "The other half is done by another person; every exception is listed and reviewed monthly."


def _rule(
    number: int,
    a: str | tuple[str, ...],
    b: str | tuple[str, ...],
    risk: str,
    severity: Literal["H", "M"],
    kinds: tuple[Kind, ...],
    mitigation: str = _SECOND_LOOK,
    window_days: int = 0,
) -> Rule:
    sides = [(side,) if isinstance(side, str) else side for side in (a, b)]
    return Rule(f"S{number:02d}", sides[0], sides[1], risk, severity, kinds, mitigation, window_days)


RULES: tuple[Rule, ...] = (
    _rule(
        1,
        "MD.CUSTOMER",
        "ORD.ENTER",
        "Invents a customer and books fictitious orders, or weakens terms to get a deal through",
        "H",
        (G, T),
        "Activation is somebody else's; new customers with an order in the same month are reviewed.",
    ),
    _rule(
        2,
        "MD.CREDIT",
        "ORD.ENTER",
        "Raises the limit and then sells to a customer who cannot pay",
        "M",
        (G, T),
    ),
    _rule(
        3,
        "MD.CUSTOMER",
        "MD.CREDIT",
        "Creates a customer and grants it credit with no second look",
        "H",
        (G,),
    ),
    _rule(
        4,
        "MD.CUSTOMER",
        "BIL.INVOICE",
        "Books fictitious revenue in one period and reverses it in another",
        "H",
        (G, T),
        "Invoices follow active orders only; drafts by hand are posted by somebody else.",
    ),
    _rule(
        5,
        "MD.CUSTOMER",
        ("BIL.CREDIT", "PAY.PREP"),
        "Creates accounts and clears what they owe; fake refunds",
        "H",
        (G, T),
        "Credit memos are posted by somebody else; monthly list of credits to new customers.",
    ),
    _rule(
        6,
        "MD.CUSTOMER",
        "CASH.ENTER",
        "Creates a customer and posts payments to it, which hides a diversion",
        "M",
        (G,),
    ),
    _rule(7, "MD.CONTRACT", "ORD.ENTER", "Sets up a fictitious contract and draws orders on it", "M", (G, T)),
    _rule(
        8,
        "MD.PRICE",
        "ORD.ENTER",
        "Over-charges or discounts by the list price, so that no discount approval ever fires",
        "M",
        (G, T),
        "Prices are activated by a second person; price changes are compared with orders of the month.",
    ),
    _rule(9, "MD.PROMOTION", "ORD.ENTER", "Gives discounts by a promotion of one's own", "M", (G, T)),
    _rule(
        10,
        "ORD.ENTER",
        "ORD.APPROVE",
        "Approves one's own concession",
        "H",
        (T,),
        "None: an approval by the author is refused.",
    ),
    _rule(
        11,
        "ORD.ENTER",
        ("BIL.CREDIT", "BIL.CREDIT_APPROVE", "CRD.AUTHORISE"),
        "Creates an order and quietly reverses it",
        "H",
        (G, T),
    ),
    _rule(12, "ORD.ENTER", "BIL.INVOICE", "Bills what was never agreed, or fails to bill", "M", (G, T)),
    _rule(
        13,
        "ORD.ENTER",
        "FUL.RECORD",
        "Gives service away and conceals it; triggers revenue with no third party",
        "H",
        (G, T),
    ),
    _rule(14, "ORD.RELEASE", "ORD.ENTER", "Removes the finance brake from one's own deal", "H", (G, T)),
    _rule(15, "MD.CREDIT", "ORD.ENTER", "Unchecks the credit check: unlimited credit", "H", (G,)),
    _rule(
        16,
        "BIL.INVOICE",
        ("BIL.POST", "BIL.RUN_APPROVE"),
        "Posts one's own invoice with no second look",
        "M",
        (T,),
        "None: posting by the author is refused.",
    ),
    _rule(
        17,
        "BIL.INVOICE",
        ("CASH.ENTER", "CASH.APPLY"),
        "Covers a fraudulent receipt by an invoice; lapping",
        "H",
        (G, T),
    ),
    _rule(
        18,
        ("BIL.CREDIT", "BIL.CREDIT_APPROVE", "CRD.AUTHORISE"),
        "CASH.APPLY",
        "Keeps the cash and clears the invoice with a credit",
        "H",
        (G, T),
    ),
    _rule(
        19,
        "CASH.ENTER",
        ("BIL.POST", "BIL.CREDIT_APPROVE", "CASH.APPLY"),
        "Takes cash and conceals it in the sub-ledger",
        "H",
        (G,),
    ),
    _rule(
        20,
        "CASH.ENTER",
        (*_JOURNAL, "REV.POST"),
        "Takes cash and conceals it in the general ledger",
        "H",
        (G,),
    ),
    _rule(
        21, "CASH.ENTER", "COL.DUNNING", "Diverts a payment and tells the customer it is settled", "H", (G,)
    ),
    _rule(
        22,
        "CASH.ENTER",
        ("WO.APPROVE", "BIL.CREDIT_APPROVE", "CRD.AUTHORISE"),
        "Intercepts a payment and writes the invoice off; the customer sees nothing",
        "H",
        (G, T),
    ),
    _rule(
        23, "CASH.ENTER", ("BIL.INVOICE", "BIL.RUN_APPROVE"), "Suppresses invoices for cash kept", "H", (G,)
    ),
    _rule(
        24,
        "CASH.ENTER",
        "CASH.APPLY",
        "Lapping: later receipts hide an earlier theft",
        "H",
        (G, T),
        "Bank statements are tied out to receipts at every close by a third person.",
    ),
    _rule(
        25,
        ("CASH.ENTER", "CASH.APPLY"),
        _JOURNAL,
        "Writes off by a journal what was taken in cash",
        "H",
        (G,),
    ),
    _rule(
        26,
        "BANK.REC",
        ("WO.APPROVE", "BIL.CREDIT_APPROVE", "CRD.AUTHORISE"),
        "Writes a balance off to cash and reconciles it away",
        "H",
        (G,),
    ),
    _rule(27, "BANK.REC", _JOURNAL, "Posts the entry that makes the reconciliation tie", "H", (G,)),
    _rule(
        28,
        "WO.PROPOSE",
        "WO.APPROVE",
        "Forgives a receivable of one's own choice",
        "H",
        (T,),
        "None: approval by the proposer is refused.",
    ),
    _rule(29, "BIL.DEPOSIT", "BIL.DEPOSIT_POST", "Reduces customer balances without review", "M", (G, T)),
    _rule(30, "PAR.PLAN", "PAR.SETTLE", "Grants credit to a friend through a programme", "M", (G, T)),
    _rule(
        31,
        "PAR.SETTLE",
        ("BIL.CREDIT", "BIL.INVOICE"),
        "Changes an authorised rebate by another door",
        "M",
        (G, T),
    ),
    _rule(
        32,
        "GL.JE_PREP",
        "GL.JE_APPROVE",
        "Manipulates the ledger undetected",
        "H",
        (T,),
        "None: approval by the preparer is refused.",
    ),
    _rule(33, "GL.JE_APPROVE", "GL.MAP", "Makes a home for an entry and posts it there", "H", (G,)),
    _rule(34, _AR_POSTING, "GL.PERIOD", "Moves revenue or receipts into the wrong period", "H", (G, T)),
    _rule(
        35,
        "GL.PERIOD_ASK",
        "GL.PERIOD_APPROVE",
        "Unlocks the books alone",
        "H",
        (T,),
        "None: approval by whoever asked is refused.",
    ),
    _rule(
        36,
        "REV.SSP",
        "REV.RUN",
        "Moves revenue between obligations by choosing the price after seeing the deal",
        "H",
        (G, T),
    ),
    _rule(37, "REV.RULE", "REV.POST", "Chooses the timing of revenue and books it", "H", (G,)),
    _rule(
        38,
        "REV.MOD_PROPOSE",
        "REV.MOD_APPROVE",
        "Chooses the accounting of a modification to hit a number",
        "H",
        (T,),
        "None: approval by the proposer is refused.",
    ),
    _rule(39, ("MD.PRODUCT", "REV.RULE"), "ORD.ENTER", "Mis-tags a product to accelerate revenue", "M", (G,)),
    _rule(
        40,
        "USG.ADJUST",
        "BIL.RUN_APPROVE",
        "Inflates or erases usage and bills it",
        "H",
        (T,),
        "Usage received = accepted + rejected + parked is a tie-out of every close.",
    ),
    _rule(41, "MD.TAX", "BIL.INVOICE", "Under-collects tax for a customer", "M", (G,)),
    _rule(
        42,
        "MD.BANK_OURS",
        "BIL.SEND",
        "Diverts customer payments to an account of one's own",
        "H",
        (G, T, W),
        "Customers are told of a change of bank details by a second channel.",
        7,
    ),
    _rule(
        43,
        "MD.BANK_PARTNER",
        "PAY.RELEASE",
        "Diverts a payout",
        "H",
        (G, T, W),
        "A change of bank details rests for seven days before a payout.",
        7,
    ),
    _rule(44, "PAR.ONBOARD", "PAY.RELEASE", "Pays a ghost partner", "H", (G, T)),
    _rule(
        45,
        "PAY.PREP",
        "PAY.RELEASE",
        "Transfers money without authority",
        "H",
        (T,),
        "None: release by the preparer is refused.",
    ),
    _rule(
        46,
        "MD.FX",
        ("REV.POST", *_AR_POSTING),
        "Picks the rate of one's own entries",
        "M",
        (G,),
        "Rates are compared with the published fixing at every close.",
    ),
    _rule(
        47,
        "REC.PREP",
        "REC.REVIEW",
        "Hides an error of one's own reconciliation",
        "H",
        (T,),
        "None: review by the preparer is refused.",
    ),
    _rule(
        48,
        "POL.EDIT",
        ("POL.DECIDE", "POL.ACTIVATE"),
        "Chooses the policy under which one's own request is decided",
        "H",
        (G, T, W),
        "Policies are activated by another person and back-tested.",
        7,
    ),
    _rule(
        49,
        "SEC.ROLES",
        FINANCIAL,
        "Gives oneself the missing half and takes it back afterwards",
        "H",
        (G, W),
        "Grants are made by another administrator; grants of the month are reviewed.",
        30,
    ),
    _rule(
        50,
        "OPS.DEVELOP",
        "OPS.DEPLOY",
        "Changes the control itself, unreviewed",
        "H",
        (G,),
        "Kept outside the product, by the rights on the repository and the servers.",
    ),
    _rule(
        51,
        "BG.USE",
        "BG.REVIEW",
        "Makes emergency access a habit",
        "H",
        (T,),
        "None: review by whoever used it is refused.",
    ),
    _rule(
        52,
        "SEC.EXCEPTION",
        "SEC.CERTIFY",
        "Certifies one's own toxic access",
        "H",
        (T,),
        "None: approval by the beneficiary or the requester is refused.",
    ),
)

# Conflicts that a shipped machine role has by design, and what takes the place of the second person. The key
# is the role; people never hold these roles.
MACHINES: dict[str, dict[str, str]] = {
    "crm": {
        "S01": "The customer and the deal come from two people in the CRM; the order becomes billable only "
        "by an activation in this product, by a person who entered nothing.",
    },
    "automation": {
        "*": "Takes no token and no password: it runs the product's own code, and whoever asked for the "
        "work is recorded beside it and checked in its place.",
    },
}
