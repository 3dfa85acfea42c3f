DUTIES = {
    "ledger.entity.maintain": "Maintain legal entities and their remittance details",
    "ledger.bank.reveal": "See bank details in clear, with a reason that is kept",
    "ledger.entity.approve_bank": "Approve a change of the bank details that customers pay to",
    "ledger.period.open": "Open accounting periods",
    "ledger.period.close": "Start the close of an accounting period and lock it",
    "ledger.period.reopen": "Reopen a closed accounting period",
    "ledger.journal.prepare": "Draft manual journals and ask for them",
    "ledger.journal.post": "Approve and post manual journals that somebody else prepared",
    "ledger.journal.approve_large": "Agree to a manual journal above the approver's limit",
    "ledger.rate.load": "Load exchange rates",
}

ROLE_DUTIES = {
    "approver": ["ledger.entity.approve_bank", "ledger.journal.post"],
    "revenue_accounting": ["ledger.period.close", "ledger.journal.prepare"],
    "controller": [
        "ledger.bank.reveal",
        "ledger.entity.maintain",
        "ledger.rate.load",
        "ledger.period.open",
        "ledger.period.close",
        "ledger.period.reopen",
        "ledger.journal.approve_large",
    ],
}
