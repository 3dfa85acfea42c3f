"""Living a deal through before it is signed. Nothing of it remains, so that it takes no duty of its acts."""

PREVIEW = "scenarios.deal.preview"
DUTIES = {PREVIEW: "Preview what a deal bills and recognises"}
ROLE_DUTIES = {
    role: [PREVIEW]
    for role in (
        "deal_desk",
        "order_entry",
        "order_management",
        "billing_ops",
        "revenue_accounting",
        "approver",
        "controller",
    )
}
