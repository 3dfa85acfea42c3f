"""The acts of orders, and which persona or machine has which.

Kept apart on purpose (segregation rules S01, S08, S10, S13, S37, S39): whoever keeps customers or prices does
not enter orders; whoever enters an order neither activates nor provisions it; revenue treatment of a SKU is
said by revenue policy, who posts no revenue.
"""

DUTIES = {
    "orders.customer.maintain": "Create and change customers, contacts and tax registrations",
    "orders.customer.deactivate": "Take a customer out of business",
    "orders.customer.reactivate": "Take a customer back into business",
    "orders.catalogue.maintain": "Create and change meters, products and SKUs",
    "orders.sku.attribute": "Say how the revenue of a SKU is recognised and which GL segment it has",
    "orders.price.draft": "Draft list prices",
    "orders.price.activate": "Make a list price valid",
    "orders.price.retire": "Withdraw a list price",
    "orders.quote.draft": "Write quotes and revise them",
    "orders.quote.submit": "Submit a quote for approval, and recall it",
    "orders.quote.approve": "Approve or reject a quote of somebody else",
    "orders.quote.approve_exception": "Approve a quote beyond the approver's limits",
    "orders.quote.accept": "Record that the customer accepted a quote",
    "orders.quote.expire": "Let a quote expire",
    "orders.order.draft": "Write draft orders",
    "orders.order.sign": "Record that an order was signed",
    "orders.order.reopen": "Take a signed order back to draft",
    "orders.order.activate": "Make a signed order billable",
    "orders.order.cancel": "Cancel an order that is not active yet, and end one that was cancelled",
    "orders.order.complete": "Complete an order whose term is over",
    "orders.order.maintain": "Change the reference data of an order: PO number, title, renewal clause",
    "orders.amendment.draft": "Draft amendments of active orders",
    "orders.amendment.apply": "Apply or reject amendments",
    "orders.milestone.record": "Record that a milestone of an order was reached, and take that back",
    "orders.entitlement.provision": "Tell the product what a customer may use",
    "orders.entitlement.retry": "Try a failed provisioning again",
    "orders.intake.process": "Turn a deal from the CRM into a draft order",
    "orders.intake.dismiss": "Dismiss a parked deal from the CRM",
}

ROLE_DUTIES = {
    "master_data": ["orders.customer.maintain"],
    "deal_desk": [
        "orders.quote.draft",
        "orders.quote.submit",
        "orders.quote.accept",
        "orders.quote.expire",
    ],
    "order_entry": [
        "orders.order.draft",
        "orders.order.sign",
        "orders.order.reopen",
        "orders.order.maintain",
        "orders.amendment.draft",
        "orders.intake.process",
        "orders.intake.dismiss",
    ],
    "order_management": [
        "orders.order.reopen",
        "orders.order.activate",
        "orders.order.cancel",
        "orders.order.complete",
        "orders.amendment.apply",
        "orders.milestone.record",
        "orders.entitlement.provision",
        "orders.entitlement.retry",
        "orders.intake.dismiss",
    ],
    "billing_ops": ["orders.catalogue.maintain", "orders.price.draft"],
    "revenue_policy": ["orders.sku.attribute"],
    "approver": ["orders.quote.approve", "orders.amendment.apply"],
    "controller": [
        "orders.quote.approve_exception",
        "orders.customer.deactivate",
        "orders.customer.reactivate",
        "orders.price.activate",
        "orders.price.retire",
    ],
    "automation": [
        "orders.order.complete",
        "orders.order.cancel",
        "orders.quote.expire",
        "orders.entitlement.provision",
    ],
    "crm": [
        "orders.customer.maintain",
        "orders.order.draft",
        "orders.intake.process",
    ],
}
