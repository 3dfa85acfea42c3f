"""What left the console, and the numbers that were given."""

from __future__ import annotations

from django.apps import apps
from django.contrib import admin

from o2c.audit import fingerprints
from o2c.audit.models import Anchor, Block, GuardRecord
from o2c.console import Column, Fact, Panel, RecordAdmin
from o2c.console.models import ExportEvent
from o2c.invariants.models import InvariantRun
from o2c.numbering.models import NumberSeries

AREA = "Controls & audit"
SHORT = 16


@admin.register(ExportEvent)
class ExportEventAdmin(RecordAdmin):
    """Who downloaded which list. The hash tells whether a file in hand is that file."""

    area, icon, nav_position, nav_title = AREA, "file_download", 80, "Exports"
    list_display = ["recorded_at", "user", "title", "rows", "filters", "file_name"]
    list_select_related = ["user"]
    search_fields = ["title", "file_name", "sha256"]
    find_fields = ["sha256", "file_name"]
    list_filter = ["model"]
    empty_text = (
        "Every 'Excel' button leaves a row here: who, which filter, how many rows, and the file's hash."
    )


@admin.register(NumberSeries)
class NumberSeriesAdmin(RecordAdmin):
    """The last number of every series, gapless per entity and year."""

    area, icon, nav_position = AREA, "pin", 90
    list_display = ["entity", "series", "year", "last"]
    list_select_related = ["entity"]
    list_filter = ["entity", "series", "year"]
    empty_text = "A series begins with the first document that is posted."


@admin.register(InvariantRun)
class InvariantRunAdmin(RecordAdmin):
    """Each time the checks were asked."""

    area, icon, nav_position, in_sidebar = AREA, "rule", 100, False
    list_display = ["started_at", "trigger", "checked", "failing", "seconds"]


@admin.register(Block)
class BlockAdmin(RecordAdmin):
    """The chain of seals, newest first."""

    area, icon, nav_position, nav_title = AREA, "link", 82, "Seals"
    list_display = ["n", "sealed_at", "kind", "count", "total", "hash"]
    find_fields = ["hash"]
    list_filter = ["kind"]
    empty_text = "The sealer writes a block within seconds of the first change. Is the scheduler running?"


@admin.register(Anchor)
class AnchorAdmin(RecordAdmin):
    """Signed copies of the head of the chain, outside the database."""

    area, icon, nav_position = AREA, "anchor", 84
    list_display = ["recorded_at", "block", "occasion", "copies", "key_begins"]
    list_select_related = ["block"]
    empty_text = "An anchor is written every ten minutes while anything changes, and when a month is locked."

    @admin.display(description="Written", ordering="subject")
    def occasion(self, anchor: Anchor) -> str:
        """'close run 6' for one of a locked month; the others are written by the clock."""
        model, _, key = anchor.subject.partition(":")
        return f"{apps.get_model(model)._meta.verbose_name} {key}" if key else "by the clock"

    @admin.display(description="Places")
    def copies(self, anchor: Anchor) -> int:
        return len(anchor.places)

    @admin.display(description="Key", ordering="key")
    def key_begins(self, anchor: Anchor) -> str:
        return f"{anchor.key[:16]}…"


@admin.register(GuardRecord)
class GuardRecordAdmin(RecordAdmin):
    """When the database's guards changed, and which: what an auditor compares with the releases."""

    area, icon, nav_position, nav_title = AREA, "shield_lock", 86, "Guards"
    list_display = ["recorded_at", "guards", "touched", "digest"]
    exportable = False  # `manage.py controls fingerprint` writes it for comparing
    find_fields = ["digest"]
    fieldsets = [("Record", {"fields": ["recorded_at", "guards", "digest", "xid"]})]
    empty_text = "Every migration records the triggers, functions and constraints that it installed."

    @admin.display(description="Changed")
    def touched(self, record: GuardRecord) -> int:
        return len(record.changed)

    def facts(self, record: GuardRecord) -> list[Fact]:
        return [
            Fact("Guards", record.guards),
            Fact("Changed", len(record.changed), "none: only touched" if not record.changed else ""),
        ]

    def panels(self, record: GuardRecord) -> list[Panel]:
        before = fingerprints.fold(GuardRecord.objects.filter(pk__lt=record.pk).order_by("pk"))
        kinds = fingerprints.kinds(record.changed, before)
        rows = [
            {"guard": name, "what": kind, "now": record.changed[name], "before": before.get(name, "")}
            for kind, names in kinds.items()
            for name in names
        ]
        columns = [
            Column("what", "What"),
            "guard",
            Column(lambda row: row["now"][:SHORT], "SHA-256 now, begins"),
            Column(lambda row: row["before"][:SHORT], "Before"),
        ]
        return [
            Panel(
                "What changed", rows, columns, limit=500, link_rows=False,
                empty="Nothing: guards were installed anew, as they were.",
                note="Against the record before, which the first has not: it names all that were installed.",
            )
        ]  # fmt: skip
