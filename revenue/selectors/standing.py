"""Where a contract stands: per obligation and per month."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal

from django.db.models import Sum

from revenue.models import (
    Allocation,
    ContractVersion,
    Obligation,
    Recognition,
    RevenueContract,
    ScheduleSlice,
)
from revenue.selectors import balances

ZERO = Decimal(0)
FOREVER = dt.date(9999, 1, 1)


@dataclass(frozen=True, slots=True)
class Standing:
    """One obligation: its price, what was recognised, and its balances (liability positive)."""

    obligation: str
    treatment: str
    basis: str
    ssp: Decimal
    stated: Decimal
    allocated: Decimal
    recognised: Decimal
    liability: Decimal
    asset: Decimal
    unbilled: Decimal
    prepaid: Decimal


@dataclass(frozen=True, slots=True)
class Month:
    """One month of a contract: what the schedule plans, and what was posted for it in all.

    `charged` is the part of `posted` that no schedule plans: usage, and service without a term.
    """

    month: str
    planned: Decimal
    posted: Decimal
    charged: Decimal

    @property
    def by_plan(self) -> Decimal:
        """What was posted of the plan."""
        return self.posted - self.charged

    @property
    def open(self) -> Decimal:
        """What the plan still has to post."""
        return self.planned - self.by_plan


def of_contract(contract: RevenueContract) -> list[Standing]:
    """Every obligation of a contract as the books have it now. Three queries."""
    rows = contract.obligations.select_related("order_line__sku").order_by("order_line__position")
    recognised = dict(
        Recognition.objects.filter(contract=contract)
        .values_list("obligation")
        .annotate(amount=Sum("amount"))
        .order_by()
    )
    books = balances.of_obligations([contract.pk], FOREVER, FOREVER).get(contract.pk, {})
    found = []
    for o in rows:
        by_account = books.get(o.pk, {})
        of = {code: by_account[code].now.amount for code in by_account}
        found.append(
            Standing(
                obligation=f"{o.order_line.position}. {o.description}",
                treatment=o.get_treatment_display(),
                basis=o.get_basis_display(),
                ssp=o.ssp,
                stated=o.stated,
                allocated=o.allocated,
                recognised=recognised.get(o.pk, ZERO),
                liability=of.get("2100", ZERO),
                asset=-of.get("1120", ZERO),
                unbilled=-of.get("1110", ZERO),
                prepaid=of.get("2110", ZERO),
            )
        )
    return found


@dataclass(frozen=True, slots=True)
class VersionRow:
    """A contract version with how it treats its obligations; '1: …' names the line where they differ."""

    number: int
    effective_on: dt.date
    because: str
    source: str
    transaction_price: Decimal
    treated: str
    rule: str
    judged: str


def versions(contract: RevenueContract) -> list[VersionRow]:
    """The versions of a contract, oldest first, with treatment, paragraph and whether a person decided.

    Two queries.
    """
    found: dict[int, list[tuple[int, str, str]]] = defaultdict(list)
    rows = Allocation.objects.filter(version__contract=contract).order_by("obligation__order_line__position")
    said = rows.values_list("version_id", "obligation__order_line__position", "treatment", "rule")
    for version, line, treatment, rule in said:
        found[version].append((line, treatment, rule))
    return [
        VersionRow(
            number=v.number,
            effective_on=v.effective_on,
            because=v.get_cause_display(),
            source=v.source,
            transaction_price=v.transaction_price,
            treated=_by_line([(line, treatment) for line, treatment, _ in found[v.pk]]),
            rule=_by_line([(line, rule) for line, _, rule in found[v.pk]]),
            judged="judged" if v.cause == ContractVersion.Cause.JUDGED else "derived",
        )
        for v in contract.versions.order_by("number")
    ]


def _by_line(said: list[tuple[int, str]]) -> str:
    """One text when every line says the same, else each line's."""
    texts = {text for _, text in said}
    return next(iter(texts)) if len(texts) == 1 else "; ".join(f"{line}: {text}" for line, text in said)


def months(contract: RevenueContract) -> list[Month]:
    """Planned, posted and charged revenue of a contract by the month it belongs to. Two queries."""
    planned: dict[dt.date, Decimal] = defaultdict(Decimal)
    plan = ScheduleSlice.objects.filter(version__contract=contract, version__number=contract.version)
    for month, amount in plan.values_list("month").annotate(a=Sum("amount")).order_by():
        planned[month] = amount
    posted: dict[dt.date, Decimal] = defaultdict(Decimal)
    charged: dict[dt.date, Decimal] = defaultdict(Decimal)
    done = Recognition.objects.filter(contract=contract).values_list("effective_month", "obligation__basis")
    for month, basis, amount in done.annotate(a=Sum("amount")).order_by():
        posted[month] += amount
        if basis != Obligation.Basis.FIXED:
            charged[month] += amount
    return [
        Month(f"{m:%Y-%m}", planned[m], posted[m], charged[m]) for m in sorted(planned.keys() | posted.keys())
    ]
