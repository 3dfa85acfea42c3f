"""A channel through which we sell."""

from django.db import models

from o2c.records import Record
from o2c.vault import PREFIX, SealedField
from partners.domain.capability import CapabilitySheet


class Channel(Record):
    """A marketplace or partner channel with its capability sheet: windows, feeds, fees, who pays and when.

    Its bank details change only by an approved request, after its cooling-off (partners/policies.py).
    """

    code = models.CharField(max_length=20, unique=True)
    name = models.CharField(max_length=80)
    entity = models.ForeignKey(
        "ledger.LegalEntity",
        on_delete=models.PROTECT,
        related_name="+",
        help_text="Owner of the seller account; the channel pays this entity.",
    )
    seller_account = models.CharField(
        max_length=20, blank=True, help_text="Our own account at the channel; an id, kept as text."
    )
    capability = models.JSONField(
        help_text="The capability sheet; every rule of the channel is read from it."
    )
    active = models.BooleanField(default=True)
    # The account that the channel pays us from. A new channel has none: they come by `services.banks.change`.
    bank_name = models.CharField(max_length=120, blank=True)
    bank_account = SealedField(blank=True, default="", help_text="IBAN, or account number, that it pays from")
    bank_routing = SealedField(blank=True, default="", help_text="Routing number, where used")
    swift = models.CharField(max_length=11, blank=True)

    class Meta:
        ordering = ("code",)
        constraints = (
            models.CheckConstraint(
                name="partners_bank_account_is_sealed",
                condition=models.Q(bank_account="") | models.Q(bank_account__startswith=PREFIX),
            ),
            models.CheckConstraint(
                name="partners_bank_routing_is_sealed",
                condition=models.Q(bank_routing="") | models.Q(bank_routing__startswith=PREFIX),
            ),
        )

    class Guards:
        immutable = ["code", "entity"]
        no_delete = True

    def __str__(self) -> str:
        return self.name

    @property
    def sheet(self) -> CapabilitySheet:
        """The capability sheet, typed. Raises ValueError when the stored data is not a whole sheet."""
        return CapabilitySheet.parse(self.capability)
