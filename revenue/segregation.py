"""Which function of the segregation matrix each duty of revenue belongs to."""

from o2c.controls.sod.declare import Act

FUNCTIONS = {
    "REV.SSP": ["revenue.ssp.propose", "revenue.ssp.approve", "revenue.ssp.approve_change"],
    "REV.RUN": ["revenue.contract.build"],
    "REV.MOD_PROPOSE": ["revenue.treatment.propose"],
    "REV.MOD_APPROVE": ["revenue.treatment.approve", "revenue.treatment.approve_large"],
    "REV.POST": ["revenue.recognition.run"],
    "REC.PREP": ["revenue.close.run", "revenue.close.explain", "revenue.close.prepare"],
    "REC.REVIEW": ["revenue.close.review"],
    "GL.PERIOD": ["revenue.close.review", "revenue.close.reopen"],
    "GL.PERIOD_ASK": ["revenue.close.ask_reopen"],
    "GL.PERIOD_APPROVE": ["revenue.close.reopen", "revenue.close.approve_reopen"],
}

# Files of what is posted already; their totals are a tie-out of the close.
NEUTRAL = ["revenue.export.build", "revenue.export.send", "revenue.export.acknowledge"]

LINEAGE = {
    "revenue.closerun": ["explanations", "tie_outs", "period"],
    "revenue.revenuecontract": ["obligations", "order", "order__lines"],
    "revenue.obligation": ["order_line__sku__ssp_entries"],
    "revenue.treatmentjudgement": [],
}

ACTS = {
    "REV.SSP": [Act("revenue.sspentry", "edit")],
    "REV.RUN": [Act("revenue.obligation", "insert")],
    "REV.MOD_PROPOSE": [Act("revenue.treatmentjudgement", "insert")],
    "REV.MOD_APPROVE": [Act("revenue.treatmentjudgement", "move", to=("approved",))],
    "REV.POST": [Act("revenue.recognitionrun", "insert")],
    "REC.PREP": [
        Act("revenue.closerun", "move", to=("prepared",)),
        Act("revenue.explanation", "insert"),
    ],
    "REC.REVIEW": [Act("revenue.closerun", "move", to=("locked",))],
    "GL.PERIOD_ASK": [Act("revenue.closerun", "move", to=("reopening",))],
    "GL.PERIOD_APPROVE": [Act("revenue.closerun", "move", to=("reopened",))],
}
