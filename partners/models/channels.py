"""A channel through which we sell."""

from django.db import models

from o2c.records import Record
from partners.domain.capability import CapabilitySheet


class Channel(Record):
    """A marketplace or partner channel with its capability sheet: windows, feeds, fees, who pays and when."""

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

    class Meta:
        ordering = ("code",)

    class Guards:
        immutable = ["code", "entity"]
        no_delete = True

    def __str__(self) -> str:
        return self.name

    @property
    def sheet(self) -> CapabilitySheet:
        """The capability sheet, typed. Raises ValueError when the stored data is not a whole sheet."""
        return CapabilitySheet.parse(self.capability)
