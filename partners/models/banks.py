"""What our bank says about money of a channel."""

from django.db import models
from django.db.models import Q

from o2c.money import AmountField, CurrencyField
from o2c.records import AppendOnly
from o2c.vault import PREFIX, SealedField


class BankCredit(AppendOnly):
    """A line of our bank statement that pays a disbursement: its trace, and the account that it came from."""

    channel = models.ForeignKey("partners.Channel", on_delete=models.PROTECT, related_name="bank_credits")
    bank_trace_id = models.CharField(max_length=100, help_text="As the channel's payment names it.")
    amount = AmountField()
    currency = CurrencyField()
    value_date = models.DateField()
    payer_account = SealedField(help_text="IBAN, or account number, that paid")

    class Meta:
        ordering = ("-value_date", "-pk")
        constraints = (
            models.UniqueConstraint(fields=["channel", "bank_trace_id"], name="partners_bank_credit_once"),
            models.CheckConstraint(name="partners_bank_credit_positive", condition=Q(amount__gt=0)),
            models.CheckConstraint(
                name="partners_payer_account_is_sealed", condition=Q(payer_account__startswith=PREFIX)
            ),
        )

    def __str__(self) -> str:
        return f"{self.bank_trace_id} {self.amount} {self.currency}"
