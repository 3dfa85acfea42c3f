DUTIES = {
    "ledger.entity.maintain": "Maintain legal entities and their remittance details",
    "ledger.period.open": "Open accounting periods",
    "ledger.period.close": "Start the close of an accounting period and lock it",
    "ledger.period.reopen": "Reopen a closed accounting period",
    "ledger.rate.load": "Load exchange rates",
}

ROLE_DUTIES = {
    "revenue_accounting": ["ledger.period.close"],
    "controller": [
        "ledger.entity.maintain",
        "ledger.rate.load",
        "ledger.period.open",
        "ledger.period.close",
        "ledger.period.reopen",
    ],
}
