"""Frozen usage hours, the requests that carried them, and what the channel answered: all append-only."""

from django.db import models
from django.db.models import F, Q

from o2c.money import QuantityField
from o2c.records import AppendOnly
from partners.domain.carry import MAX_QUANTITY
from partners.domain.outcomes import Disposition


class MeteringRecord(AppendOnly):
    """One hour of one dimension, frozen: what is sent once and never changed.

    Quantities other than `quantity` are in the meter's own unit:
    carry_in + used + late = quantity x per_unit + carry_out. `late` is usage that arrived for hours
    frozen before.
    """

    dimension = models.ForeignKey(
        "partners.AgreementDimension", on_delete=models.PROTECT, related_name="metering_records"
    )
    identity = models.ForeignKey("partners.AgreementIdentity", on_delete=models.PROTECT, related_name="+")
    hour = models.DateTimeField(help_text="Start of the hour, UTC.")
    used = QuantityField()
    late = QuantityField()
    carry_in = QuantityField()
    quantity = models.BigIntegerField()
    per_unit = QuantityField()
    carry_out = QuantityField()
    total_used = QuantityField(
        help_text="All usage of the dimension up to here: this record's and every earlier one's."
    )

    class Meta:
        ordering = ("dimension_id", "hour")
        constraints = (
            models.UniqueConstraint(fields=["dimension", "hour"], name="partners_metering_once_per_hour"),
            models.CheckConstraint(
                name="partners_metering_quantity_range",
                condition=Q(quantity__gte=0, quantity__lte=MAX_QUANTITY),
            ),
            models.CheckConstraint(
                name="partners_metering_carry_adds_up",
                condition=Q(carry_out=F("carry_in") + F("used") + F("late") - F("quantity") * F("per_unit")),
            ),
        )
        indexes = (models.Index(fields=["hour"], name="partners_metering_hour"),)

    def __str__(self) -> str:
        return f"{self.dimension_id} {self.hour:%Y-%m-%d %H}h x {self.quantity}"


class MeteringBatch(AppendOnly):
    """One BatchMeterUsage request, recorded and committed before it is sent: after a crash it says what
    may be there.
    """

    product_code = models.CharField(max_length=255)
    records = models.JSONField(help_text="Ids of the metering records, in the order of the request.")
    request_sha256 = models.CharField(max_length=64)
    sent_at = models.DateTimeField()

    class Meta:
        ordering = ("-pk",)
        verbose_name_plural = "metering batches"

    def __str__(self) -> str:
        return f"batch {self.pk}"


class MeteringResult(AppendOnly):
    """One answer about one record. The newest counts; once accepted, a record takes no further answer."""

    record = models.ForeignKey(MeteringRecord, on_delete=models.PROTECT, related_name="results")
    batch = models.ForeignKey(MeteringBatch, null=True, on_delete=models.PROTECT, related_name="results")
    status = models.CharField(max_length=60, help_text="The service's status or error code.")
    disposition = models.CharField(max_length=10, choices=Disposition.choices)
    metering_record_id = models.CharField(max_length=255, blank=True)
    message = models.TextField(blank=True)
    answered_at = models.DateTimeField()

    class Meta:
        ordering = ("record_id", "pk")
        constraints = (
            models.UniqueConstraint(
                fields=["record"],
                condition=Q(disposition=Disposition.ACCEPTED),
                name="partners_metering_accepted_once",
            ),
        )
        indexes = (models.Index(fields=["record", "-id"], name="partners_result_newest"),)

    def __str__(self) -> str:
        return f"{self.record_id}: {self.status}"
