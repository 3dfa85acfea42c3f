"""A real contract as a scenario file: what was signed, what happened to it, what was billed.

The contract is written as it was signed, its amendments as happenings on the days they were applied, usage
as one sum a day, each bill run that billed it, and as expectation the lines of its documents. Tax, payments
and credits by hand belong to the customer rather than to the contract and are left out.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import yaml
from django.db.models import Sum
from django.db.models.functions import TruncDate

from billing.models import InvoiceLine, UsageHour
from o2c.errors import InvalidInput
from orders.models import Amendment, Order, OrderLine, Price, Segment

MOST_USAGE = 4000
SUMMED = frozenset({"sum", ""})
Row = dict[str, Any]


class Number(str):
    """A decimal that is written without quotes."""

    __slots__ = ()


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def _number(dumper: yaml.SafeDumper, value: Number) -> yaml.Node:
    kind = "float" if "." in value else "int"
    return dumper.represent_scalar(f"tag:yaml.org,2002:{kind}", str(value))


_Dumper.add_representer(Number, _number)


@dataclass(slots=True)
class Contract:
    """An order with everything about it that a file says."""

    order: Order
    lines: list[OrderLine]
    segments: dict[int, list[Segment]]
    amendments: list[Amendment]
    labels: dict[int, str]
    listed: dict[str, Price]


def text_of(order: Order) -> str:
    """The scenario file of an order. Raises InvalidInput for one that was never active."""
    return yaml.dump(
        scenario_of(order),
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        width=110,
        default_flow_style=None,
    )


def scenario_of(order: Order) -> Row:
    """The file as nested plain values."""
    if order.activated_on is None:
        raise InvalidInput("The order was never active: nothing of it is billed", record=str(order))
    contract = _load(order)
    happenings = [*_usage(contract), *_amendments(contract), *_runs(contract)]
    happenings.sort(key=lambda row: row["on"])  # stable: usage before amendments before bill runs
    return {
        "scenario": f"{order.number} {order.customer.name}",
        "convention": _convention(contract),
        "company": {"currency": order.currency},
        "customer": {"name": order.customer.name},
        "catalogue": [_sku(contract, line) for line in _first_of_each_sku(contract)],
        "deal": _deal(contract),
        "happenings": happenings,
        "expect": _documents(contract),
    }


def _load(order: Order) -> Contract:
    lines = list(order.lines.select_related("sku__meter", "added_by").order_by("position"))
    segments: dict[int, list[Segment]] = defaultdict(list)
    rows = Segment.objects.filter(line__order=order).select_related("price").order_by("starts_on", "sequence")
    for row in rows:
        segments[row.line_id].append(row)
    codes = [line.sku.code for line in lines]
    labels = {
        line.pk: line.sku.code if codes.count(line.sku.code) == 1 else f"{line.sku.code} {line.position}"
        for line in lines
    }
    listed: dict[str, Price] = {}
    for line in lines:
        listed.setdefault(line.sku.code, segments[line.pk][0].price)
    applied = Amendment.objects.filter(order=order, state=Amendment.State.APPLIED).order_by("number")
    return Contract(order, lines, segments, list(applied), labels, listed)


def _convention(contract: Contract) -> str:
    left_out = sorted({line.sku.code for line in contract.lines if line.sku.meter and not _is_summed(line)})
    told = "Exported from the contract as it is on record; amounts are net."
    if left_out:
        told += f" Usage of {', '.join(left_out)} is not summed by its meter and is left out."
    return told


def _first_of_each_sku(contract: Contract) -> list[OrderLine]:
    seen: dict[str, OrderLine] = {}
    for line in contract.lines:
        seen.setdefault(line.sku.code, line)
    return list(seen.values())


def _is_summed(line: OrderLine) -> bool:
    return line.sku.meter is None or line.sku.meter.aggregation in SUMMED


def _sku(contract: Contract, line: OrderLine) -> Row:
    sku, price = line.sku, contract.listed[line.sku.code]
    others = {
        segment.price.period
        for other in contract.lines
        if other.sku_id == sku.pk
        for segment in contract.segments[other.pk]
    }
    if len(others) > 1:
        raise InvalidInput(
            f"{sku.code} is sold at prices per {' and per '.join(sorted(others))}",
            record=str(contract.order),
            remedy="Write the file by hand, with a SKU for each",
        )
    row: Row = {"sku": sku.code, "kind": sku.kind, "name": sku.name, "unit": sku.unit}
    if sku.meter is not None:
        row["meter"] = {"aggregation": sku.meter.aggregation, "dimensions": list(sku.meter.dimensions)}
        if sku.meter.filters:
            row["meter"]["filters"] = sku.meter.filters
    if sku.revenue_treatment:
        row["revenue"] = sku.revenue_treatment
    return {**row, "price": _price(price.spec), "per": price.period}


def _price(spec: Any) -> Any:
    """A price with its numbers as numbers."""
    if isinstance(spec, Mapping):
        return {
            name: v if name in ("model", "match", "dimensions") else _price(v) for name, v in spec.items()
        }
    if isinstance(spec, list):
        return [_price(item) for item in spec]
    return Number(spec) if isinstance(spec, str) else spec


def _decimal(value: Decimal) -> Number:
    return Number(f"{value.normalize():f}")


def _money(value: Decimal) -> Number:
    return Number(f"{value:.3f}" if value != round(value, 2) else f"{value:.2f}")


def _worth(contract: Contract, line: OrderLine, segment: Segment) -> Row:
    """Price and discount of a segment, where they are not those of the catalogue."""
    row: Row = {}
    spec = segment.price_override or segment.price.spec
    if spec != contract.listed[line.sku.code].spec:
        row["price"] = _price(spec)
    if segment.discount_percent:
        row["discount_percent"] = _decimal(segment.discount_percent)
    return row


def _ends_as_signed(contract: Contract) -> dict[int, dt.date | None]:
    """The end that each segment had when it was written: an amendment may have cut it short since."""
    rows = Segment.history.filter(line__order_id=contract.order.pk).order_by("-history_id")
    return {row.id: row.ends_on for row in rows}


def _deal(contract: Contract) -> Row:
    order = contract.order
    first = Order.history.filter(id=order.pk, state=Order.State.ACTIVE).order_by("history_id").first()
    until = first.ends_on if first is not None else order.ends_on
    ends = _ends_as_signed(contract)
    row: Row = {"from": order.starts_on}
    if until is not None:
        row["until"] = until
    row |= {
        "frequency": order.billing_frequency,
        "anchor": order.anchor,
        "proration": order.proration,
        "counted_day": order.counted_day,
        "remainder": order.remainder,
        "time_zone": order.time_zone,
        "payment_terms_days": order.payment_terms_days,
        "late_usage": order.late_usage_policy,
    }
    if order.anchor_on is not None:
        row["anchor_on"] = order.anchor_on
    if order.po_number:
        row["po_number"] = order.po_number
    if order.late_waive_below is not None:
        row["late_waive_below"] = _money(order.late_waive_below)
    if order.commitments:
        row["commitments"] = [
            {name: Number(v) if name in ("amount", "overage_factor") else v for name, v in one.items()}
            for one in order.commitments
        ]
    if order.invoice_thresholds:
        row["thresholds"] = [Number(amount) for amount in order.invoice_thresholds]
    signed = [line for line in contract.lines if line.added_by_id is None]
    return {**row, "lines": [_line(contract, line, ends) for line in signed]}


def _line(contract: Contract, line: OrderLine, ends: Mapping[int, dt.date | None]) -> Row:
    row: Row = {"sku": line.sku.code}
    if contract.labels[line.pk] != line.sku.code:
        row["name"] = contract.labels[line.pk]
    row["timing"] = line.timing
    if line.schedule:
        row["schedule"] = [_instalment(one) for one in line.schedule]
    elif line.frequency:
        row["frequency"] = line.frequency
    steps = []
    for segment in contract.segments[line.pk]:
        if segment.opened_by_id is None:
            step: Row = {"from": segment.starts_on}
            if ends[segment.pk] is not None:
                step["until"] = ends[segment.pk]
            step["quantity"] = _decimal(segment.quantity)
            steps.append({**step, **_worth(contract, line, segment)})
    return {**row, **steps[0]} if len(steps) == 1 else {**row, "steps": steps}


def _instalment(one: Mapping[str, Any]) -> Row:
    row: Row = {**one, "amount": Number(one["amount"])}
    return {**row, "on": dt.date.fromisoformat(one["on"])} if one.get("on") else row


def _amendments(contract: Contract) -> list[Row]:
    """The applied amendments, one happening for each line that they change; numbers are counted anew."""
    rows: list[Row] = []
    numbers: dict[int, list[int]] = {}
    for amendment in contract.amendments:
        if amendment.kind == Amendment.Kind.UNDO:
            acts = [{"undo": number} for number in reversed(numbers[amendment.changes["amendment"]])]
        else:
            acts = AMENDMENTS[amendment.kind](contract, amendment)
        numbers[amendment.number] = list(range(len(rows) + 1, len(rows) + len(acts) + 1))
        for act in acts:
            row: Row = {"on": amendment.applied_on, **act}
            if amendment.reason:
                row["reason"] = amendment.reason
            rows.append(row)
    return rows


def _quantities(contract: Contract, amendment: Amendment) -> list[Row]:
    acts = []
    for item in amendment.changes["lines"]:
        act: Row = {"line": contract.labels[item["line"]], "from": amendment.effective_on}
        act |= {"to": Number(item["quantity"])} if "quantity" in item else {"by": Number(item["delta"])}
        acts.append({"change_quantity": act | _until(amendment)})
    return acts


def _until(amendment: Amendment) -> Row:
    until = amendment.changes.get("until")
    return {"until": dt.date.fromisoformat(until)} if until else {}


def _opened(contract: Contract, amendment: Amendment, line: int) -> Segment | None:
    return next((row for row in contract.segments[line] if row.opened_by_id == amendment.pk), None)


def _prices(contract: Contract, amendment: Amendment) -> list[Row]:
    acts = []
    for item in amendment.changes["lines"]:
        segment = _opened(contract, amendment, item["line"])
        if segment is not None:
            act: Row = {"line": contract.labels[item["line"]], "from": amendment.effective_on}
            if {"price", "override"} & set(item):
                act["price"] = _price(segment.price_override or segment.price.spec)
            if "discount_percent" in item:
                act["discount_percent"] = Number(item["discount_percent"])
            acts.append({"change_price": act | _until(amendment)})
    return acts


def _added(contract: Contract, amendment: Amendment) -> list[Row]:
    acts = []
    for line in contract.lines:
        segment = _opened(contract, amendment, line.pk)
        if line.added_by_id == amendment.pk and segment is not None:
            act: Row = {
                "sku": line.sku.code,
                "name": contract.labels[line.pk],
                "from": amendment.effective_on,
            }
            act |= {"quantity": _decimal(segment.quantity), "timing": line.timing}
            if line.frequency:
                act["frequency"] = line.frequency
            asked: Row = next((i for i in amendment.changes["lines"] if i["sku"] == line.sku.code), {})
            if asked.get("ends_on"):
                act["until"] = dt.date.fromisoformat(asked["ends_on"])
            acts.append({"add_line": act | _worth(contract, line, segment)})
    return acts


def _cancelled(contract: Contract, amendment: Amendment) -> list[Row]:
    """With the day on which it took effect: "period_end" has been worked out already."""
    assert amendment.applied_on is not None
    backdated = amendment.effective_on < amendment.applied_on
    act: Row = {"from": amendment.effective_on, "mode": "backdated" if backdated else "now"}
    if lines := amendment.changes.get("lines"):
        act["lines"] = [contract.labels[line] for line in lines]
    return [{"cancel": act}]


def _renewed(contract: Contract, amendment: Amendment) -> list[Row]:
    changes = amendment.changes
    act: Row = {"months": changes["term_months"]}
    if "uplift_percent" in changes:
        act["uplift_percent"] = Number(changes["uplift_percent"])
    acts: list[Row] = [{"renew": act}]
    if changes.get("reprice") == "list":
        for line in contract.lines:
            segment = _opened(contract, amendment, line.pk)
            if segment is not None:
                spec = _price(segment.price_override or segment.price.spec)
                change = {"line": contract.labels[line.pk], "from": segment.starts_on, "price": spec}
                acts.append({"change_price": change})
    return acts


def _plans(contract: Contract, amendment: Amendment) -> list[Row]:
    acts = []
    for item in amendment.changes["lines"]:
        act: Row = {"line": contract.labels[item["line"]], "sku": item["sku"], "from": amendment.effective_on}
        if "quantity" in item:
            act["quantity"] = Number(item["quantity"])
        for line in contract.lines:
            segment = _opened(contract, amendment, line.pk)
            if line.added_by_id == amendment.pk and line.sku.code == item["sku"] and segment is not None:
                act |= _worth(contract, line, segment)
        acts.append({"change_plan": act})
    return acts


def _span(contract: Contract, amendment: Amendment) -> list[Row]:
    """A pause or its end."""
    act: Row = {"from": amendment.effective_on} | _until(amendment)
    if lines := amendment.changes.get("lines"):
        act["lines"] = [contract.labels[line] for line in lines]
    return [{amendment.kind: act}]


def _transferred(contract: Contract, amendment: Amendment) -> list[Row]:
    raise InvalidInput(
        "It was transferred to another customer, whose order is another file",
        record=str(contract.order),
        remedy="Export the successor, or write the transfer by hand",
    )


AMENDMENTS: dict[str, Callable[[Contract, Amendment], list[Row]]] = {
    "plan": _plans,
    "pause": _span,
    "resume": _span,
    "transfer": _transferred,
    "quantity": _quantities,
    "price": _prices,
    "add_line": _added,
    "cancel": _cancelled,
    "renew": _renewed,
}


def _usage(contract: Contract) -> list[Row]:
    """One sum a day, line and combination of dimensions, at noon of the contract's time zone."""
    lines = {line.pk: line for line in contract.lines if line.sku.meter and _is_summed(line)}
    zone = ZoneInfo(contract.order.time_zone)
    rows = (
        UsageHour.objects.filter(line__in=lines)
        .annotate(day=TruncDate("hour", tzinfo=zone))
        .values_list("day", "line", "dimensions__values")
        .annotate(total=Sum("quantity"))
        .order_by("day", "line", "dimensions")
    )
    found = list(rows[: MOST_USAGE + 1])
    if len(found) > MOST_USAGE:
        raise InvalidInput(
            f"It has more than {MOST_USAGE} sums of usage by day and dimensions",
            record=str(contract.order),
            remedy="A file can't hold them; write a scenario with usage_per_month instead",
        )
    days: dict[dt.date, list[Row]] = defaultdict(list)
    for day, line, dimensions, total in found:
        noon = dt.datetime.combine(day, dt.time(12), tzinfo=zone)
        use: Row = {"sku": lines[line].sku.code, "quantity": _decimal(total), "at": noon.isoformat()}
        if contract.labels[line] != lines[line].sku.code:
            use["line"] = contract.labels[line]
        if dimensions:
            use["dimensions"] = dimensions
        days[day].append(use)
    return [{"on": day, "use": uses} for day, uses in days.items()]


def _billed(contract: Contract) -> Sequence[InvoiceLine]:
    """The lines of posted documents that bill runs made for this order."""
    return list(
        InvoiceLine.objects.filter(
            order_line__order=contract.order, invoice__state="posted", invoice__run__isnull=False
        )
        .select_related("invoice__run")
        .order_by("invoice__issue_date", "invoice", "position")
    )


def _runs(contract: Contract) -> list[Row]:
    found: dict[int, Row] = {}
    for line in _billed(contract):
        run = line.invoice.run
        assert run is not None
        last = run.through - dt.timedelta(days=1)
        bill = {"through": last} if last != line.invoice.issue_date else {}
        found.setdefault(run.pk, {"on": line.invoice.issue_date, "bill": bill})
    return list(found.values())


def _documents(contract: Contract) -> Row:
    """What was billed for this order, document by document; of a shared document its own lines."""
    documents: dict[int, list[InvoiceLine]] = defaultdict(list)
    for line in _billed(contract):
        documents[line.invoice_id].append(line)
    expected: Row = {"invoices": [], "credits": []}
    for lines in documents.values():
        net = sum((line.net for line in lines), Decimal(0))
        shown = [
            {
                "sku": line.sku_code,
                "from": line.service_from,
                "until": line.service_to,
                "net": _money(line.net),
            }
            for line in lines
        ]
        row = {"on": lines[0].invoice.issue_date, "net": _money(net), "lines": shown}
        expected["credits" if net < 0 else "invoices"].append(row)
    return expected
