"""Which function of the segregation matrix each duty of the ledger belongs to."""

from o2c.controls.sod.declare import Act, Link

FUNCTIONS = {
    "MD.BANK_OURS": ["ledger.entity.maintain"],
    "GL.JE_PREP": ["ledger.journal.prepare"],
    "GL.JE_APPROVE": ["ledger.journal.post"],
    "MD.FX": ["ledger.rate.load"],
    "GL.PERIOD": ["ledger.period.open", "ledger.period.close", "ledger.period.reopen"],
    "GL.PERIOD_APPROVE": ["ledger.period.reopen"],
}

ACTS = {
    "MD.FX": [Act("ledger.exchangerate", "edit")],
    "GL.PERIOD": [
        Act("ledger.accountingperiod", "insert"),
        Act("ledger.accountingperiod", "move", to=("open", "closing", "closed")),
    ],
    "MD.BANK_OURS": [Act("ledger.legalentity", "edit")],
    "GL.JE_PREP": [Act("ledger.manualjournal", "edit"), Act("ledger.manualline", "edit")],
    "GL.JE_APPROVE": [Act("ledger.manualjournal", "move", to=("posted",))],
}

LINEAGE = {"ledger.manualjournal": ["lines"]}

# The period that an entry by hand is booked in (S34). What the product posts by itself is nobody's entry.
LINKS = {
    "ledger.manualjournal": [
        Link(
            "ledger.accountingperiod",
            "ledger_manualjournal s JOIN ledger_accountingperiod t ON t.entity_id = s.entity_id"
            " AND s.posting_date >= t.starts_on AND s.posting_date < t.ends_on",
        )
    ],
}

NEUTRAL = [
    # Reads; every reading is on record.
    "ledger.bank.reveal",
    # Decides requests only; whoever changes the details is kept apart by the request itself.
    "ledger.entity.approve_bank",
    # Agrees to a large one and posts nothing: whoever closes periods does not (S34).
    "ledger.journal.approve_large",
]
