"""The PDF of a posted document and of a statement: made once, stored by content hash."""

from __future__ import annotations

import datetime as dt

from billing.models import Invoice
from billing.selectors import document_data
from o2c import locks
from o2c.access import require
from o2c.actor import Actor, acting
from o2c.documents import store, typeset
from o2c.documents.models import Document
from o2c.errors import Conflict

PDF = "application/pdf"


def render(pk: int, *, actor: Actor, reason: str = "") -> Document:
    """The PDF of a posted document; made the first time, the stored one ever after.

    Raises Conflict for a draft: it has no number, so it could be mistaken for a document.
    """
    invoice = Invoice.objects.select_related("customer", "entity", "corrects", "document").get(pk=pk)
    if invoice.document is not None:
        return invoice.document
    content = content_of(invoice)
    with acting(actor, reason=reason or "Render document"):
        require(actor, "billing.invoice.render", record=str(invoice))
        locked = locks.row(Invoice, pk)
        if locked.document_id is None:
            locked.document = store.put(content, PDF, f"{invoice.number}.pdf")
            locked.save(update_fields=["document"])
        assert locked.document is not None
        return locked.document


def content_of(invoice: Invoice) -> bytes:
    """The bytes of the document's PDF, the same every time; no transaction, no write."""
    if invoice.state == Invoice.State.DRAFT:
        raise Conflict("A draft has no PDF", record=str(invoice), remedy="Post it first")
    data = document_data.invoice(invoice)
    return typeset.render("invoice", data, dated=invoice.issue_date)[0]


def statement(
    customer_id: int, entity_id: int, currency: str, *, since: dt.date, as_of: dt.date, actor: Actor
) -> Document:
    """A statement of account for `[since, as_of]`, stored."""
    data = document_data.statement(customer_id, entity_id, currency, since=since, as_of=as_of)
    content = typeset.render("statement", data, dated=as_of)[0]
    with acting(actor, reason="Statement of account"):
        require(actor, "billing.invoice.render", record=f"customer {customer_id}")
        return store.put(content, PDF, f"statement-{data['buyer']['number']}-{as_of}.pdf")
