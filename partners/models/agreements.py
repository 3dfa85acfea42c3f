"""Marketplace agreements: who the buyer is at the channel, and what is metered."""

from django.db import models
from django.db.models import F, Q

from o2c.money import CurrencyField, QuantityField, RateField
from o2c.records import AppendOnly, Record
from o2c.states import StateField, StateMachine, transition


class AwsAgreement(StateMachine, Record):
    """One AWS Marketplace agreement and the order it stands for. The buyer owes AWS; AWS owes us.

    Metering starts at `active` and stops at `ending` + one hour: AWS gives a last hour to send what is
    unsent.
    """

    class State(models.TextChoices):
        PENDING = "pending", "Pending"
        ACTIVE = "active", "Active"
        ENDED = "ended", "Ended"

    class Programme(models.TextChoices):
        PUBLIC = "public", "Public offer"
        PRIVATE = "private", "Private offer"
        RENEWAL = "renewal", "Renewal"

    number = models.CharField(max_length=20, unique=True)
    channel = models.ForeignKey("partners.Channel", on_delete=models.PROTECT, related_name="agreements")
    order = models.OneToOneField("orders.Order", on_delete=models.PROTECT, related_name="aws_agreement")
    customer = models.ForeignKey("orders.Customer", on_delete=models.PROTECT, related_name="aws_agreements")
    entity = models.ForeignKey("ledger.LegalEntity", on_delete=models.PROTECT, related_name="+")
    currency = CurrencyField(default="USD")
    product_type = models.CharField(max_length=20, default="saas")
    programme = models.CharField(max_length=20, choices=Programme.choices, default=Programme.PUBLIC)
    resale = models.BooleanField(default=False, help_text="Sold by a channel partner (CPPO).")
    total_contract_value = models.DecimalField(
        max_digits=20,
        decimal_places=3,
        default=0,
        help_text="Before tax; decides the band of the listing fee.",
    )
    state = StateField(choices=State.choices, default=State.PENDING)
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("number",)
        verbose_name = "AWS agreement"
        constraints = (
            models.CheckConstraint(
                name="partners_agreement_started",
                condition=Q(state="pending") | Q(started_at__isnull=False),
            ),
            models.CheckConstraint(
                name="partners_agreement_ends_after_start",
                condition=Q(ended_at__isnull=True) | Q(ended_at__gte=F("started_at")),
            ),
        )

    class Guards:
        immutable = ["number", "channel", "order", "customer", "entity", "currency"]
        no_delete = True

    def __str__(self) -> str:
        return self.number

    @transition(
        state,
        source=State.PENDING,
        target=State.ACTIVE,
        duty="partners.agreement.activate",
        service="partners.services.agreements.activate",
        label="Start metering",
    )
    def activate(self) -> None:
        """subscribe-success arrived: give access and meter."""

    @transition(
        state,
        source=State.ACTIVE,
        target=State.ENDED,
        duty="partners.agreement.end",
        service="partners.services.agreements.end",
        label="End",
    )
    def end(self) -> None:
        """The agreement ended: send what is unsent within the last hour, then stop."""


class AgreementIdentity(AppendOnly):
    """Every id under which the buyer appears at AWS, appended when any of them changes; the newest row
    counts.

    Products created since 1 June 2026 meter by account and licence, older ones by customer identifier and
    product code; the licence changes on replacement. Ids are text and trimmed.
    """

    agreement = models.ForeignKey(AwsAgreement, on_delete=models.PROTECT, related_name="identities")
    customer_identifier = models.CharField(max_length=255, blank=True)
    aws_account_id = models.CharField(max_length=20, blank=True)
    license_arn = models.CharField(max_length=1200, blank=True)
    product_code = models.CharField(max_length=255)
    product_id = models.CharField(max_length=64, blank=True)
    agreement_ref = models.CharField("agreement id at AWS", max_length=64, blank=True)
    offer_id = models.CharField(max_length=64, blank=True)
    payer_account_id = models.CharField(max_length=20, blank=True)
    source = models.CharField(max_length=40, help_text="registration, feed, or the person's reason.")

    class Meta:
        ordering = ("agreement_id", "pk")
        verbose_name_plural = "agreement identities"
        indexes = (
            models.Index(fields=["agreement_ref"], name="partners_identity_ref"),
            models.Index(fields=["aws_account_id", "product_id"], name="partners_identity_account"),
        )
        constraints = (
            models.CheckConstraint(
                name="partners_identity_names_a_buyer",
                condition=~Q(customer_identifier="", aws_account_id=""),
            ),
        )

    def __str__(self) -> str:
        return f"{self.aws_account_id or self.customer_identifier} / {self.product_code}"


class AgreementDimension(Record):
    """A dimension of the AWS product: which of our SKUs it meters, in units of what size, at what listed
    price.
    """

    agreement = models.ForeignKey(AwsAgreement, on_delete=models.PROTECT, related_name="dimensions")
    key = models.CharField(max_length=255)
    line = models.ForeignKey("orders.OrderLine", on_delete=models.PROTECT, related_name="+")
    per_unit = QuantityField(help_text="How much of our meter's unit makes one unit of the dimension.")
    rate = RateField(help_text="Price of one unit of the dimension in the agreement's currency.")

    class Meta:
        ordering = ("agreement_id", "key")
        constraints = (
            models.UniqueConstraint(fields=["agreement", "key"], name="partners_dimension_key"),
            models.UniqueConstraint(fields=["line"], name="partners_dimension_line"),
            models.CheckConstraint(name="partners_dimension_per_unit", condition=Q(per_unit__gt=0)),
        )

    class Guards:
        immutable = ["agreement", "key", "line", "per_unit"]
        no_delete = True

    def __str__(self) -> str:
        return f"{self.agreement_id}: {self.key}"


class Registration(StateMachine, Record):
    """A buyer who came to our fulfilment page. Its token is resolved in the request and only its digest
    is kept.
    """

    class State(models.TextChoices):
        UNCLAIMED = "unclaimed", "Unclaimed"
        CLAIMED = "claimed", "Claimed"

    token_sha256 = models.CharField(max_length=64, unique=True)
    channel = models.ForeignKey("partners.Channel", on_delete=models.PROTECT, related_name="registrations")
    customer_identifier = models.CharField(max_length=255, blank=True)
    aws_account_id = models.CharField(max_length=20, blank=True)
    license_arn = models.CharField(max_length=1200, blank=True)
    product_code = models.CharField(max_length=255)
    agreement_ref = models.CharField("agreement id at AWS", max_length=64, blank=True)
    registered_at = models.DateTimeField()
    state = StateField(choices=State.choices, default=State.UNCLAIMED)
    agreement = models.ForeignKey(
        AwsAgreement, null=True, blank=True, on_delete=models.PROTECT, related_name="registrations"
    )

    class Meta:
        ordering = ("-pk",)
        constraints = (
            models.CheckConstraint(
                name="partners_registration_claimed",
                condition=Q(state="unclaimed") | Q(agreement__isnull=False),
            ),
        )

    class Guards:
        immutable = ["token_sha256", "aws_account_id", "customer_identifier", "license_arn", "product_code"]
        no_delete = True

    def __str__(self) -> str:
        return f"{self.aws_account_id or self.customer_identifier} for {self.product_code}"

    @transition(
        state, source=State.UNCLAIMED, target=State.CLAIMED, duty="partners.registration.claim", label="Claim"
    )
    def claim(self) -> None:
        """The buyer is linked to an agreement of ours."""
