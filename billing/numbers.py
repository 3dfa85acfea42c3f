"""Which documents take the numbers of which series."""

SERIES = {
    "INV": ("billing_invoice", "number"),
    "CM": ("billing_invoice", "number"),
    "DM": ("billing_invoice", "number"),
    "RCT": ("billing_receipt", "number"),
    "RFD": ("billing_refund", "number"),
}
