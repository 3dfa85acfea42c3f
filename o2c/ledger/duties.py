DUTIES = {
    "ledger.period.close": "Start the close of an accounting period and lock it",
    "ledger.period.reopen": "Reopen a closed accounting period",
    "ledger.journal.post": "Post a manual journal",
    "ledger.rate.load": "Load exchange rates",
}

ROLE_DUTIES = {
    "revenue_accounting": ["ledger.period.close", "ledger.journal.post", "ledger.rate.load"],
    "controller": ["ledger.period.close", "ledger.period.reopen"],
}
