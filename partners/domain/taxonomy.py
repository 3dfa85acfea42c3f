"""Names of the reconciliation's legs and of the breaks they leave (reference: marketplaces, 4.1 and 4.2)."""

LEGS = {
    "L1": "Frozen = accepted by AWS",
    "L2": "At AWS = daily usage feed",
    "L3": "At AWS x rate = billed by AWS",
    "L3B": "Our invoice = billed by AWS",
    "L3S": "Instalment = invoice",
    "L4": "Fee by our table = AWS's fee",
    "L7": "Billed = paid out",
    "L8": "Payment = its lines",
    "L9N": "Rows that need a person",
    "L11": "Documents = ledger",
}

BREAKS = {
    "METER_QTY": "AWS holds another quantity",
    "METER_REJECT": "Usage rejected",
    "METER_LATE": "Usage lost, window passed",
    "METER_DATA": "Usage refused, our data",
    "MISSING_METER": "Usage not sent yet",
    "QUANTITY": "Feed shows another quantity",
    "EXTRA": "Billed, and not ours",
    "MISSING_BILL": "Not billed by AWS",
    "PRICE": "Billed at another price",
    "OWN_INVOICE": "Our invoice differs",
    "FEE": "Fee differs",
    "SHORT_PAY": "Paid too little",
    "OVER_PAY": "Paid too much",
    "FAILED_DISB": "Payment returned by the bank",
    "PROOF": "Payment without its lines",
    "BALANCE_ADJ": "Adjusted by AWS",
    "REFUND_UNKNOWN": "Refund we did not give",
    "IDENTITY": "Unknown buyer",
    "BOOKS": "Ledger differs",
    "ROUND": "AWS's penny",
}
