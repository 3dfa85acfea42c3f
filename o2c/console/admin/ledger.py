"""Legal entities, accounts, accounting periods, journals, exchange rates."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import F, QuerySet, Sum
from django.utils.html import format_html
from django.utils.safestring import SafeString

from o2c import vault
from o2c.actor import Actor
from o2c.console import Act, Column, Fact, ListAct, Panel, RecordAdmin
from o2c.console import format as fmt
from o2c.console.keys import key_link
from o2c.controls import approvals
from o2c.controls.approvals.admin.asking import would_ask
from o2c.controls.approvals.models import Request
from o2c.ledger import services
from o2c.ledger.models import Account, AccountingPeriod, ExchangeRate, Journal, JournalLine, LegalEntity
from o2c.ledger.policies import BANK
from o2c.periods import Period, add_months

AREA = "Ledger"


def _balance(rows: QuerySet[JournalLine], *by: str) -> QuerySet[Any, dict[str, Any]]:
    """Debits, credits and balance in functional currency, grouped."""
    return (
        rows.values(*by)
        .annotate(debits=Sum("functional_debit"), credits=Sum("functional_credit"))
        .annotate(balance=F("debits") - F("credits"))
        .order_by(*by)
    )


class RateForm(forms.Form):
    from_currency = forms.CharField(max_length=3, min_length=3)
    to_currency = forms.CharField(max_length=3, min_length=3)
    valid_on = forms.DateField(widget=forms.DateInput(attrs={"type": "date"}))
    rate = forms.DecimalField(
        max_digits=28, decimal_places=12, help_text="Units of 'to' for one unit of 'from'."
    )
    source = forms.CharField(max_length=60, initial="manual")


def load_rate(*, source: str, actor: Actor, reason: str = "", **rate: Any) -> None:
    row = (
        rate["from_currency"].upper(),
        rate["to_currency"].upper(),
        rate["valid_on"],
        rate["rate"],
    )
    services.load_rates([row], source=source, actor=actor, reason=reason)


class PeriodsForm(forms.Form):
    entity = forms.ModelChoiceField(LegalEntity.objects.all())
    first = forms.DateField(
        label="From month",
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text="Any day of the first month.",
    )
    months = forms.IntegerField(min_value=1, max_value=36, initial=12)


def open_periods(*, entity: LegalEntity, first: Any, months: int, actor: Actor, reason: str = "") -> None:
    start = first.replace(day=1)
    services.open_periods(entity, Period(start, add_months(start, months)), actor=actor, reason=reason)


def bank_form(entity: LegalEntity) -> type[forms.Form]:
    """The details as they are, to be changed."""
    fields = {
        name: forms.CharField(
            initial="" if vault.is_sealed(getattr(entity, name)) else getattr(entity, name),
            help_text="Is " + vault.masked(getattr(entity, name))
            if vault.is_sealed(getattr(entity, name))
            else "",
            max_length=120,
            required=name != "bank_routing",
        )
        for name in BANK
    }
    return type("BankForm", (forms.Form,), fields)


def ask_bank(pk: int, *, actor: Actor, reason: str = "", **details: str) -> Request:
    return approvals.submit("ledger.entity.change_bank", pk, actor=actor, reason=reason, parameters=details)


@admin.register(LegalEntity)
class LegalEntityAdmin(RecordAdmin):
    """The companies that contract and keep books."""

    area, icon, nav_position = AREA, "domain", 10
    list_display = ["code", "name", "legal_name", "currency", "country", "time_zone"]
    search_fields = ["code", "name", "legal_name"]
    find_fields = ["code", "*name"]
    fieldsets = [
        ("Company", {"fields": ["code", "name", "legal_name", "currency", "country", "time_zone"]}),
        ("Registration", {"fields": ["tax_id", "registration", "email"]}),
        ("Address", {"fields": ["line1", "line2", "city", "region", "postal_code"]}),
        ("Remittance", {"fields": ["bank_name", "bank_account", "bank_routing", "swift"]}),
    ]

    acts = [
        Act(
            "ask_bank", "Ask to change bank details…", "o2c.console.admin.ledger.ask_bank",
            duty="ledger.entity.maintain", form=bank_form, reason="required", primary=False,
            description="Somebody else decides; it takes effect three days after they agreed.",
            foresee=would_ask,
        ),
        Act(
            "reveal_bank", "Show bank details…", "o2c.ledger.services.reveal_bank", duty="ledger.bank.reveal",
            reason="required", primary=False,
            shown=lambda found: [(fmt.label(name), value) for name, value in found.items()],
            description="Shown once. That you read them is kept, with your reason.",
        ),
    ]  # fmt: skip

    def facts(self, entity: LegalEntity) -> list[Fact]:
        return [Fact("Functional currency", entity.currency), Fact("Country", entity.country)]

    def panels(self, entity: LegalEntity) -> list[Panel]:
        balances = _balance(
            JournalLine.objects.filter(journal__entity=entity), "account__code", "account__name"
        )
        columns = [
            Column("account__code", "Account"),
            Column("account__name", "Name"),
            Column("debits", "Debits", money=entity.currency, total=True),
            Column("credits", "Credits", money=entity.currency, total=True),
            Column("balance", "Balance", money=entity.currency, total=True),
        ]
        return [
            Panel("Periods", entity.periods.order_by("-starts_on"),
                  ["name", "starts_on", "ends_on", "state"], limit=12,
                  href=fmt.list_url(AccountingPeriod, entity__id__exact=entity.pk),
                  empty="No accounting period: nothing can be posted. Open some under 'Accounting periods'."),
            Panel("Balances by account", balances, columns, limit=60, link_rows=False,
                  note=f"All periods, in {entity.currency}. Debits and credits must be equal.",
                  empty="No journal yet."),
        ]  # fmt: skip


@admin.register(Account)
class AccountAdmin(RecordAdmin):
    """The chart of accounts, one for all entities."""

    area, icon, nav_position, nav_title = AREA, "account_tree", 20, "Chart of accounts"
    list_display = ["code", "name", "kind", "contra", "monetary", "clearing"]
    list_filter = ["kind", "clearing"]
    search_fields = ["code", "name"]
    find_fields = ["code", "*name"]

    def facts(self, account: Account) -> list[Fact]:
        return [Fact("Kind", account.get_kind_display()), Fact("Clearing", account.clearing)]

    def panels(self, account: Account) -> list[Panel]:
        lines = JournalLine.objects.filter(account=account)
        by = ("journal__entity__name", "journal__entity__currency", "journal__period__name")
        columns = [
            Column("journal__entity__name", "Entity"),
            Column("journal__period__name", "Period"),
            Column("debits", "Debits", money="journal__entity__currency"),
            Column("credits", "Credits", money="journal__entity__currency"),
            Column("balance", "Balance", money="journal__entity__currency"),
        ]
        latest = lines.select_related("journal__entity").order_by("-pk")
        return [
            Panel("Movement by entity and period", _balance(lines, *by), columns, link_rows=False, limit=48,
                  note="In functional currency.", empty="Nothing is posted here yet."),
            Panel("Latest lines", latest, [
                Column("journal", "Journal"), Column("journal.posting_date", "Posted on"),
                Column("journal.rule", "Rule"), Column(lambda row: key_link(row.journal.source), "Source"),
                Column("debit", money="journal.currency"), Column("credit", money="journal.currency"),
            ], link_rows=False),
        ]  # fmt: skip


@admin.register(AccountingPeriod)
class AccountingPeriodAdmin(RecordAdmin):
    """Months of each entity's books."""

    area, icon, nav_position = AREA, "calendar_month", 30
    list_display = ["name", "entity", "starts_on", "ends_on", "state"]
    list_select_related = ["entity"]
    list_filter = ["entity", "state"]
    search_fields = ["name"]
    list_acts = [
        ListAct("open", "Open periods", "o2c.console.admin.ledger.open_periods", duty="ledger.period.open",
                form=PeriodsForm, icon="calendar_add_on")
    ]  # fmt: skip
    empty_text = "Open the months of the first year with 'Open periods'."

    def facts(self, period: AccountingPeriod) -> list[Fact]:
        return [Fact("Entity", period.entity), Fact("From", period.starts_on), Fact("Up to", period.ends_on)]

    def panels(self, period: AccountingPeriod) -> list[Panel]:
        rows = _balance(JournalLine.objects.filter(journal__period=period), "account__code", "account__name")
        currency = period.entity.currency
        columns = [
            Column("account__code", "Account"),
            Column("account__name", "Name"),
            Column("debits", "Debits", money=currency, total=True),
            Column("credits", "Credits", money=currency, total=True),
            Column("balance", "Movement", money=currency, total=True),
        ]
        return [
            Panel("Movement of the period", rows, columns, limit=60, link_rows=False,
                  note=f"In {currency}.", href=fmt.list_url(Journal, period__id__exact=period.pk),
                  empty="Nothing is posted in this period yet.")
        ]  # fmt: skip


@admin.register(Journal)
class JournalAdmin(RecordAdmin):
    """What was booked, by which rule, because of which document."""

    area, icon, nav_position = AREA, "menu_book", 40
    list_display = ["id", "posting_date", "entity", "period", "rule", "source_link", "currency", "memo"]
    list_select_related = ["entity", "period__entity"]
    list_filter = ["entity", "period", "rule", "currency", "posting_date"]
    search_fields = ["source", "event_key", "memo"]

    ordering = ["-id"]

    @admin.display(description="Source", ordering="source")
    def source_link(self, journal: Journal) -> SafeString:
        return key_link(journal.source)

    def facts(self, journal: Journal) -> list[Fact]:
        return [
            Fact("Source", key_link(journal.source)),
            Fact("Event", key_link(journal.event_key)),
            Fact("Rule", journal.rule),
            Fact("Entity", journal.entity),
            Fact("Posted on", journal.posting_date, note=str(journal.period)),
        ]

    def panels(self, journal: Journal) -> list[Panel]:
        functional = journal.entity.currency
        columns = [
            Column("account"),
            Column("debit", money=journal.currency, total=True),
            Column("credit", money=journal.currency, total=True),
            Column(lambda line: key_link(line.reference), "About"),
        ]
        if functional != journal.currency:
            columns[3:3] = [
                Column("functional_debit", money=functional, total=True),
                Column("functional_credit", money=functional, total=True),
            ]
        lines = journal.lines.select_related("account").order_by("pk")
        others = Journal.objects.filter(source=journal.source).exclude(pk=journal.pk).order_by("pk")
        return [
            Panel("Lines", lines, columns, link_rows=False, limit=200),
            Panel("Other journals of the same source", others,
                  [Column("id", "Journal"), "posting_date", "rule", "memo"],
                  empty="None: this is the only one."),
        ]  # fmt: skip


@admin.register(ExchangeRate)
class ExchangeRateAdmin(RecordAdmin):
    """Rates between functional and transaction currencies."""

    area, icon, nav_position = AREA, "currency_exchange", 50
    list_display = ["valid_on", "pair", "rate_text", "source"]
    list_filter = ["from_currency", "to_currency"]
    date_hierarchy = "valid_on"
    export_fields = ["valid_on", "from_currency", "to_currency", "rate", "source"]
    list_acts = [
        ListAct("load", "Load a rate", "o2c.console.admin.ledger.load_rate", duty="ledger.rate.load",
                form=RateForm,
                description="A rate holds from its day until the next. A known rate is never replaced.")
    ]  # fmt: skip
    empty_text = "Load rates with 'Load a rate', or from a file with the import command."

    @admin.display(description="Pair", ordering="from_currency")
    def pair(self, rate: ExchangeRate) -> str:
        return f"{rate.from_currency} → {rate.to_currency}"

    @admin.display(description="Rate", ordering="rate")
    def rate_text(self, rate: ExchangeRate) -> SafeString:
        return format_html('<span class="o-figure">{}</span>', fmt.plain_number(rate.rate))
