DUTIES = {
    "revenue.contract.build": "Build revenue contracts from orders",
    "revenue.ssp.propose": "Propose a stand-alone selling price",
    "revenue.ssp.approve": "Approve a stand-alone selling price that somebody else proposed",
    "revenue.ssp.approve_change": "Approve a stand-alone selling price that moves far, beside the controller",
    "revenue.recognition.run": "Recognise the revenue of a period",
    "revenue.close.run": "Start a close and run its tie-outs",
    "revenue.close.explain": "Explain a tie-out that differs",
    "revenue.close.prepare": "Sign a close as its preparer",
    "revenue.close.review": "Review a close that somebody else prepared, and lock the period",
    "revenue.close.ask_reopen": "Ask for a closed period to be reopened",
    "revenue.close.reopen": "Reopen a closed period that somebody else asked for",
    "revenue.close.approve_reopen": "Agree to the reopening of a period whose books were exported",
    "revenue.export.build": "Build export files for the general ledger",
    "revenue.export.send": "Send an export file to the general ledger",
    "revenue.export.acknowledge": "Record what the general ledger said about an export",
}

ROLE_DUTIES = {
    "revenue_policy": ["revenue.ssp.propose"],
    "revenue_accounting": [
        "revenue.contract.build",
        "revenue.recognition.run",
        "revenue.close.run",
        "revenue.close.explain",
        "revenue.close.prepare",
        "revenue.close.ask_reopen",
        "revenue.export.build",
        "revenue.export.send",
        "revenue.export.acknowledge",
    ],
    "approver": ["revenue.ssp.approve_change", "revenue.close.approve_reopen"],
    "controller": [
        "revenue.ssp.approve",
        "revenue.close.review",
        "revenue.close.reopen",
    ],
    "automation": ["revenue.contract.build", "revenue.recognition.run"],
}
