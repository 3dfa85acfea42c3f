"""Channels with their bank details, agreements, registered buyers."""

from typing import Any

from django import forms
from django.contrib import admin

from o2c.actor import Actor
from o2c.console import RecordAdmin
from o2c.console.acts import Act
from o2c.console.admin.ledger import bank_form
from o2c.console.format import label
from o2c.console.panels import Column, Fact, Panel
from o2c.console.registry import Anchor
from o2c.controls import approvals
from o2c.controls.approvals.admin.asking import would_ask
from o2c.controls.approvals.models import Request
from partners.admin.refunds import DRAFT, invoices_panel
from partners.domain.taxonomy import LEGS
from partners.models import (
    AgreementDimension,
    AwsAgreement,
    Channel,
    MeteringRecord,
    Registration,
    SettlementShare,
)
from partners.services.registration import bare_licence


def ask_bank(pk: int, *, actor: Actor, reason: str = "", **details: str) -> Request:
    return approvals.submit("partners.bank.change", pk, actor=actor, reason=reason, parameters=details)


@admin.register(Channel)
class ChannelAdmin(RecordAdmin):
    area = "Partners"
    icon = "storefront"
    nav_position = 90
    list_display = ["name", "code", "entity", "seller_account", "active"]
    search_fields = ["name", "code"]
    list_select_related = ["entity"]
    fieldsets = [
        ("Pays us from", {"fields": ["bank_name", "bank_account", "bank_routing", "swift"]}),
    ]
    acts = [
        Act(
            "ask_bank", "Ask to change bank details…", "partners.admin.agreements.ask_bank",
            duty="partners.bank.maintain", form=bank_form, reason="required", primary=False,
            description="The controller decides; it takes effect three days after they agreed.",
            foresee=would_ask,
        ),
        Act(
            "reveal_bank", "Show bank details…", "partners.services.banks.reveal",
            duty="partners.bank.reveal", reason="required", primary=False,
            shown=lambda found: [(label(name), value) for name, value in found.items()],
            description="Shown once. That you read them is kept, with your reason.",
        ),
    ]  # fmt: skip

    def notices(self, obj: Any) -> list[tuple[str, str]]:
        if obj.bank_account:
            return []
        return [("plain", "Its bank account is not known: payments are not compared with our bank.")]

    def facts(self, obj: Any) -> list[Fact]:
        sheet = obj.sheet
        return [
            Fact(
                "Accepts usage for", f"{sheet.metering.window.accepts_for.total_seconds() / 3600:.0f} hours"
            ),
            Fact("Records a request", sheet.metering.max_records),
            Fact("Buyer pays", sheet.payment.buyer_pays),
            Fact("Own reminders", "yes" if sheet.payment.own_dunning else "no"),
        ]

    def panels(self, obj: Any) -> list[Panel]:
        return [
            Panel(
                "Agreements",
                obj.agreements.select_related("customer", "order"),
                ["number", "customer", "order", "state"],
            ),
            Panel(
                "Last reconciliation, by leg",
                obj.reconciliations.order_by("-pk")[: len(LEGS)],
                ["leg", "as_of", "left_total", "right_total", "explained", "differing"],
                link_rows=False,
            ),
        ]


class ClaimForm(forms.Form):
    agreement_id = forms.TypedChoiceField(label="Agreement", coerce=int)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["agreement_id"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [
            (row.pk, f"{row.number}, {row.customer}")
            for row in AwsAgreement.objects.select_related("customer").exclude(state=AwsAgreement.State.ENDED)
        ]


@admin.register(AwsAgreement)
class AwsAgreementAdmin(RecordAdmin):
    area = "Partners"
    icon = "handshake"
    nav_position = 10
    list_display = ["number", "customer", "order", "state", "programme", "started_at", "ended_at"]
    search_fields = ["number", "customer__name", "identities__aws_account_id", "identities__agreement_ref"]
    find_fields = ["number", "identities__agreement_ref", "identities__aws_account_id"]
    list_select_related = ["customer", "order"]
    list_filter = ["state", "programme"]
    transition_options = {"end": {"reason": "required", "danger": True}}
    acts = [DRAFT]

    def facts(self, obj: Any) -> list[Fact]:
        identity = obj.identities.order_by("-pk").first()
        return [
            Fact("Customer", obj.customer),
            Fact("Order", obj.order),
            Fact("AWS account", identity.aws_account_id if identity else ""),
            Fact("Agreement at AWS", identity.agreement_ref if identity else ""),
            Fact("Listing fee", f"{obj.get_programme_display()}, {obj.product_type}"),
        ]

    def panels(self, obj: Any) -> list[Panel]:
        hours = MeteringRecord.objects.filter(dimension__agreement=obj)
        used = hours.exclude(used=0, late=0, quantity=0).select_related("dimension").order_by("-hour")
        shares = SettlementShare.objects.filter(agreement=obj).select_related("posting", "invoice")
        return [
            Panel(
                "Dimensions",
                obj.dimensions.select_related("line__sku", "agreement"),
                [
                    "key",
                    "line.sku",
                    Column("per_unit", "Unit holds"),
                    Column("rate", money="agreement.currency"),
                ],
                link_rows=False,
            ),
            Panel(
                "Breaks",
                obj.breaks.order_by("-pk"),
                ["number", "type", "period", Column("value", money="currency"), "state"],
                empty="Every leg agrees.",
            ),
            invoices_panel(obj),
            Panel(
                "Refunds",
                obj.refunds.all(),
                [
                    Column(str, "Number", link=True),
                    "invoice_ref",
                    Column("amount", money="currency"),
                    "reason_code",
                    "state",
                ],
                empty="None was asked for.",
            ),
            Panel(
                "Settled",
                shares.order_by("-pk"),
                [
                    Column("posting.rule", "What"),
                    Column("posting.effective_on", "On"),
                    Column("invoice", "Our invoice"),
                    Column("amount", money="posting.currency"),
                    Column("posting.billing_event_id", "Event at AWS"),
                ],
                link_rows=False,
                limit=12,
                note="Positive lowers what AWS owes us.",
            ),
            Panel(
                "Latest hours with usage",
                used,
                ["hour", "dimension.key", "used", "late", "quantity", "carry_out"],
                limit=12,
                note="Used, late and carried in the meter's unit, the quantity in the dimension's.",
            ),
            Panel("Ids of the buyer", obj.identities.order_by("-pk"), IDENTITY_COLUMNS, link_rows=False),
        ]

    def strip_anchor(self, obj: Any) -> Anchor | None:
        return Anchor("order", (obj.order_id,))

    def timeline_related(self, obj: Any) -> list[Any]:
        return [("Dimension", AgreementDimension.history.filter(agreement_id=obj.pk))]


def _licence(row: Any) -> str:
    """The licence's own id: the ARN before it says nothing that distinguishes it."""
    return bare_licence(row.license_arn)


IDENTITY_COLUMNS = [
    "aws_account_id",
    "agreement_ref",
    Column(_licence, "Licence"),
    "source",
]


@admin.register(Registration)
class RegistrationAdmin(RecordAdmin):
    area = "Partners"
    icon = "how_to_reg"
    nav_position = 60
    list_display = [
        "product_code",
        "aws_account_id",
        "customer_identifier",
        "state",
        "registered_at",
        "agreement",
    ]
    search_fields = ["aws_account_id", "customer_identifier", "product_code"]
    list_select_related = ["agreement"]
    list_filter = ["state"]
    acts = [
        Act(
            "link",
            "Link to an agreement",
            "partners.services.registration.claim",
            duty="partners.registration.claim",
            form=ClaimForm,
            description="The ids that AWS gave for this buyer are appended to the agreement.",
            unavailable=lambda obj, user: [] if obj.state == "unclaimed" else ["It is linked already."],
        )
    ]
