"""What of the feed has been posted to the ledger."""

from django.db import models

from o2c.money import AmountField, CurrencyField
from o2c.records import AppendOnly


class SettlementPosting(AppendOnly):
    """A fee, tax or payment amount taken to the ledger: current event minus what was posted before it.

    A correction of an event posts its difference under the next sequence; a signed period never moves.
    """

    channel = models.ForeignKey("partners.Channel", on_delete=models.PROTECT, related_name="+")
    agreement = models.ForeignKey(
        "partners.AwsAgreement", null=True, on_delete=models.PROTECT, related_name="settlement_postings"
    )
    entity = models.ForeignKey("ledger.LegalEntity", on_delete=models.PROTECT, related_name="+")
    billing_event_id = models.CharField(max_length=64)
    sequence = models.PositiveIntegerField()
    rule = models.CharField(max_length=60)
    amount = AmountField(help_text="Seller's sign: positive is owed to us or paid to us.")
    currency = CurrencyField()
    effective_on = models.DateField()
    posted_on = models.DateField()

    class Meta:
        ordering = ("pk",)
        constraints = (
            models.UniqueConstraint(
                fields=["channel", "billing_event_id", "sequence"], name="partners_settlement_once"
            ),
        )

    def __str__(self) -> str:
        return f"{self.rule} {self.amount} {self.currency}"

    @property
    def event_key(self) -> str:
        """The ledger's key of this posting."""
        return f"aws:{self.channel_id}:{self.sequence}:{self.billing_event_id}"[:80]


class SettlementShare(AppendOnly):
    """Part of a posting: what it settles of one invoice of ours, or, without one, of the agreement's
    account.
    """

    posting = models.ForeignKey(SettlementPosting, on_delete=models.PROTECT, related_name="shares")
    agreement = models.ForeignKey(
        "partners.AwsAgreement", null=True, on_delete=models.PROTECT, related_name="+"
    )
    invoice = models.ForeignKey("billing.Invoice", null=True, on_delete=models.PROTECT, related_name="+")
    application = models.OneToOneField(
        "billing.Application", null=True, on_delete=models.PROTECT, related_name="marketplace_share"
    )
    amount = AmountField(help_text="Positive lowers what AWS owes us, negative raises it.")

    class Meta:
        ordering = ("pk",)

    def __str__(self) -> str:
        return f"{self.amount} of {self.invoice_id or self.agreement_id}"
