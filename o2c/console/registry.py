"""What the apps contribute to the console: work queues, figures, charts, money strip stages, pages, search.

The console knows no business noun. Each app states what it has to show in `<app>/console.py`, which is
imported once
when the apps are ready, and registers values of the dataclasses below:

    from o2c.console.registry import Queue, register

    register(Queue(
        code="billing.run.release", title="Bill runs to release", area="Billing",
        duty="billing.run.release", rows=lambda user: BillRun.objects.filter(state="calculated"),
        since="created_at", act="release", why="Calculated, waits for a second person",
    ))

Registering the same code twice is a programming error and raises.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db.models import Model, QuerySet
from django.utils.module_loading import autodiscover_modules

# A function that takes the signed-in user and returns the rows that wait. Lazy: the queryset isn't
# evaluated on home.
RowsFn = Callable[[Any], QuerySet[Any]]


@dataclass(frozen=True, slots=True)
class Queue:
    """Work that waits for somebody: shown on home with count, age and money, and as a list page of its own.

    code      "<app>.<what>", unique; part of the page's address
    rows      rows(user) -> queryset of one model that has a RecordAdmin. Include select_related for what
              columns show
    duty      the duty that works this queue: who holds it sees it on home
    roles     role codes that see it on home beside those who hold the duty (an overseer, an auditor)
    since     field (or lookup path) of type date or datetime that says since when the row waits
    amount    field, lookup path or annotation of the money at stake, "" when there is none; currency is the
              lookup path beside it
    owner     field or lookup path of whoever holds the row, "" when nobody does
    columns   names as in list_display of a RecordAdmin; shown between the record and age
    why       why rows are here, one sentence: text, or function of the row
    by        field whose values narrow the queue, each with its count; by_name(value) says it in words
    act       name of a declared transition that is offered for one row and in bulk, "" for none
    sla_hours age above which a row counts as late, None for no promise
    empty     what the page says when nothing waits, and what to do instead
    """

    code: str
    title: str
    area: str
    rows: RowsFn
    duty: str = ""
    roles: Sequence[str] = ()
    since: str = "created_at"
    amount: str = ""
    currency: str = "currency"
    owner: str = ""
    columns: Sequence[str] = ()
    why: str | Callable[[Any], str] = ""
    by: str = ""
    by_name: Callable[[Any], str] = str
    act: str = ""
    sla_hours: int | None = None
    icon: str = "inbox"
    empty: str = "Nothing waits here."
    priority: int = 50


@dataclass(frozen=True, slots=True)
class KpiValue:
    """One figure as it stands now. `text` is already formatted (o2c.console.format.money/number/percent).

    good: True/False colours the card when the figure is judged against a target; None leaves it neutral.
    """

    text: str
    note: str = ""
    href: str = ""
    good: bool | None = None
    rows: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, slots=True)
class Kpi:
    """A card on home. `value(user)` runs real queries;
    its answer is kept for `seconds` (shared by all users).
    """

    code: str
    title: str
    value: Callable[[], KpiValue]
    roles: Sequence[str] = ()
    duty: str = ""
    definition: str = ""
    seconds: int = 60
    priority: int = 50


@dataclass(frozen=True, slots=True)
class Series:
    """One line or one set of bars. Values are figures for the eye, never for arithmetic,
    hence float is allowed.
    """

    label: str
    values: Sequence[float | Decimal | int | None]


@dataclass(frozen=True, slots=True)
class ChartData:
    """labels along the x axis (each a short text), one value per label in each series. `finding` is the
    title's news.

    hrefs: one address per label, for the drill from the table view; may be empty.
    """

    labels: Sequence[str]
    series: Sequence[Series]
    finding: str = ""
    unit: str = ""
    hrefs: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart on home: kind "line" for a trend, "bar" for comparison,
    "stacked" for parts of a whole by label.
    """

    code: str
    title: str
    data: Callable[[], ChartData]
    kind: str = "bar"
    roles: Sequence[str] = ()
    duty: str = ""
    seconds: int = 300
    wide: bool = False
    priority: int = 50


@dataclass(frozen=True, slots=True)
class Anchor:
    """What the money strip of a page is about: kind "order" or "customer", and primary keys of that kind."""

    kind: str
    ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class StripAmount:
    """What one stage of the strip shows. One entry per currency;
    an empty list means that the stage is still to come.
    """

    amount: Decimal
    currency: str
    href: str = ""
    note: str = ""
    count: int | None = None


@dataclass(frozen=True, slots=True)
class StripStage:
    """A stage on the way from quote to revenue. `amounts(anchor)` answers for kinds it knows, None for
    others.

    At most two queries per stage.
    """

    code: str
    label: str
    position: int
    amounts: Callable[[Anchor], Sequence[StripAmount] | None]


@dataclass(frozen=True, slots=True)
class Page:
    """A page of an app's own that belongs in the sidebar.

    `url` is a name for reverse() or a path that begins with /.
    """

    code: str
    title: str
    area: str
    url: str
    icon: str = "article"
    duty: str = ""
    roles: Sequence[str] = ()
    position: int = 50


@dataclass(frozen=True, slots=True)
class QuickLink:
    """A link on home for some roles:
    what this persona opens every day or begins with ("Record a receipt").
    """

    code: str
    title: str
    url: str
    roles: Sequence[str] = ()
    duty: str = ""
    icon: str = "bolt"
    position: int = 50


@dataclass(frozen=True, slots=True)
class RecordLink:
    """A link on the pages of one model's records, to a page of another app that shows them its way.

    `model` is "app.model" in lower case, `url` answers the address for a record.
    """

    code: str
    model: str
    title: str
    url: Callable[[Any], str]
    duty: str = ""
    icon: str = "open_in_new"
    position: int = 50


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One thing that happened, on the timeline of an object page.

    kind   "change" | "state" | "event" | "delivery" | "job" | "message" | "approval"; the timeline's filter
    diffs  (field label, before, after) as shown
    count  how many times it happened at once; the timeline folds entries that say the same
    """

    at: datetime
    kind: str
    title: str
    actor: str = ""
    reason: str = ""
    body: str = ""
    href: str = ""
    request_id: str = ""
    diffs: Sequence[tuple[str, str, str]] = ()
    machine: bool = False
    count: int = 1


@dataclass(frozen=True, slots=True)
class ExplainStep:
    """One step of 'why this number': label, the formula with its values put in, its result,
    and what it rests on.
    """

    label: str
    result: str = ""
    formula: str = ""
    note: str = ""
    href: str = ""
    children: Sequence[ExplainStep] = ()


@dataclass(frozen=True, slots=True)
class Explanation:
    """The page behind an amount. `recomputed` is the same number computed again from the facts right now.

    `amount` and `recomputed` are compared by the page: equal is said in green, a difference in red with
    both figures.
    """

    title: str
    amount: Decimal
    currency: str
    steps: Sequence[ExplainStep]
    recomputed: Decimal | None = None
    tables: Sequence[Any] = ()  # of o2c.console.panels.Panel
    sources: Sequence[tuple[str, str]] = ()  # (label, href)
    as_of: date | None = None


Entry = Queue | Kpi | Chart | StripStage | Page | QuickLink | RecordLink


@dataclass
class Registry:
    """All entries by kind and code. One instance per process; filled at start-up, read afterwards."""

    entries: dict[type, dict[str, Any]] = field(default_factory=dict)

    def register(self, *entries: Entry) -> None:
        for entry in entries:
            kind = self.entries.setdefault(type(entry), {})
            if entry.code in kind:
                raise ValueError(
                    f"{type(entry).__name__} {entry.code!r} is registered twice: choose another code."
                )
            kind[entry.code] = entry

    def all(self, kind: type) -> list[Any]:
        """Entries of one kind, by their position or priority, then code."""
        found = self.entries.get(kind, {}).values()
        return sorted(found, key=lambda e: (getattr(e, "position", getattr(e, "priority", 50)), e.code))

    def get(self, kind: type, code: str) -> Any | None:
        return self.entries.get(kind, {}).get(code)


registry = Registry()
register = registry.register


def autodiscover() -> None:
    """Import console.py of every installed app once, so that what it registers is there."""
    autodiscover_modules("console")


def labels(model: type[Model]) -> Mapping[str, str]:
    """label, verbose name and plural of a model, for messages."""
    opts = model._meta
    return {
        "label": opts.label_lower,
        "name": str(opts.verbose_name),
        "plural": str(opts.verbose_name_plural),
    }
