"""What can happen on a day: the acts of a scenario file, each a block of the language."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import yaml

from o2c.scenarios import reading
from o2c.scenarios.outcome import Expect
from o2c.scenarios.reading import (
    Block,
    Problems,
    choice,
    date,
    decimal,
    flag,
    instant,
    key,
    line_of,
    listing,
    mapping,
    month,
    plain,
    record,
    text,
    whole,
)
from orders.domain import price_spec
from orders.models import BillingTerms, Coupon, Price, PriceAdjustment
from revenue.models import TreatmentJudgement

TREATMENTS = TreatmentJudgement.Treatment.values


def price(node: yaml.Node, problems: Problems) -> Any:
    """A price as the catalogue holds it; a bare amount is the price of one unit."""
    if isinstance(node, yaml.ScalarNode) and not reading.is_nothing(node):
        return {"model": "per_unit", "unit_amount": f"{decimal(node, problems):f}"}
    spec = plain(node, problems)
    for problem in price_spec.problems(spec):
        problems.add(line_of(node), f"the price is not valid: {problem}")
    return spec


@dataclass(frozen=True, slots=True)
class Bill(Block):
    """A bill run: everything due on or before the day, posted."""

    through: dt.date | None = key(date, default=None)
    thresholds: bool = key(flag, default=False)


@dataclass(frozen=True, slots=True)
class Use(Block):
    """Metered usage."""

    sku: str = key(text)
    quantity: Decimal = key(decimal)
    at: dt.datetime | None = key(instant, default=None)
    id: str = key(text, default="")
    dimensions: Mapping[str, str] | None = key(mapping(text, text), default=None)
    subject: str = key(text, default="")
    line: str = key(text, default="")
    deal: str = key(text, default="")


@dataclass(frozen=True, slots=True)
class Retract(Block):
    """Usage that did not happen is taken back."""

    id: str = key(text)


@dataclass(frozen=True, slots=True)
class GrantCredit(Block):
    """Promotional credit for usage."""

    amount: Decimal = key(decimal)
    start: dt.date | None = key(date, name="from", default=None)
    until: dt.date | None = key(date, default=None)
    priority: int = key(whole, default=100)
    skus: tuple[str, ...] = key(listing(text), default=())


@dataclass(frozen=True, slots=True)
class Reach(Block):
    """A milestone of a line is reached, which bills it, or that it was reached is taken back."""

    line: str = key(text)
    milestone: str = key(text)
    taken_back: bool = key(flag, default=False)
    deal: str = key(text, default="")


@dataclass(frozen=True, slots=True)
class Expire(Block):
    """Credit that ended by the day is settled: carried over as its terms say, or gone."""


@dataclass(frozen=True, slots=True)
class ChangeQuantity(Block):
    """More or less of a line from a day on."""

    line: str = key(text)
    to: Decimal | None = key(decimal, default=None)
    by: Decimal | None = key(decimal, default=None)
    start: dt.date | None = key(date, name="from", default=None)
    until: dt.date | None = key(date, default=None)
    deal: str = key(text, default="")


@dataclass(frozen=True, slots=True)
class ChangePrice(Block):
    """Another price for a line from a day on."""

    line: str = key(text)
    price: Any = key(price, default=None)
    list_price: bool = key(flag, default=False)
    discount_percent: Decimal | None = key(decimal, default=None)
    start: dt.date | None = key(date, name="from", default=None)
    until: dt.date | None = key(date, default=None)
    deal: str = key(text, default="")


@dataclass(frozen=True, slots=True)
class Override(Block):
    """A price that is agreed with the customer, above what their lines say."""

    method: str = key(choice(*PriceAdjustment.Method.values))
    value: Decimal | None = key(decimal, default=None)
    price: Any = key(price, default=None)
    sku: str = key(text, default="")
    dimensions: Mapping[str, str] | None = key(mapping(text, text), default=None)
    start: dt.date | None = key(date, name="from", default=None)
    until: dt.date | None = key(date, default=None)
    deal: str = key(text, default="")


@dataclass(frozen=True, slots=True)
class Redeem(Block):
    """A coupon is made for this line and redeemed on it."""

    line: str = key(text)
    method: str = key(choice(*Coupon.Method.values))
    value: Decimal = key(decimal)
    periods: int | None = key(whole, default=None)
    deal: str = key(text, default="")


@dataclass(frozen=True, slots=True)
class ChangePlan(Block):
    """A line becomes one of another SKU."""

    line: str = key(text)
    sku: str = key(text)
    quantity: Decimal | None = key(decimal, default=None)
    price: Any = key(price, default=None)
    discount_percent: Decimal = key(decimal, default=Decimal(0))
    start: dt.date | None = key(date, name="from", default=None)
    deal: str = key(text, default="")


@dataclass(frozen=True, slots=True)
class PauseBlock(Block):
    """Neither served nor charged for a while."""

    start: dt.date | None = key(date, name="from", default=None)
    until: dt.date | None = key(date, default=None)
    lines: tuple[str, ...] = key(listing(text), default=())
    deal: str = key(text, default="")


@dataclass(frozen=True, slots=True)
class Resume(Block):
    """What was paused is served again."""

    start: dt.date | None = key(date, name="from", default=None)
    lines: tuple[str, ...] = key(listing(text), default=())
    deal: str = key(text, default="")


@dataclass(frozen=True, slots=True)
class TransferBlock(Block):
    """Another customer takes the contract over."""

    to: str = key(text)
    start: dt.date | None = key(date, name="from", default=None)
    deal: str = key(text, default="")


@dataclass(frozen=True, slots=True)
class UndoBlock(Block):
    """An amendment is undone, by its number within the deal."""

    amendment: int = key(whole)
    deal: str = key(text, default="")


@dataclass(frozen=True, slots=True)
class AddLine(Block):
    """A further line from a day on."""

    sku: str = key(text)
    name: str = key(text, default="")
    quantity: Decimal = key(decimal, default=Decimal(1))
    price: Any = key(price, default=None)
    discount_percent: Decimal = key(decimal, default=Decimal(0))
    timing: str = key(choice(*BillingTerms.Timing.values), default="advance")
    frequency: str = key(choice(*BillingTerms.Frequency.values), default="")
    start: dt.date | None = key(date, name="from", default=None)
    until: dt.date | None = key(date, default=None)
    deal: str = key(text, default="")


@dataclass(frozen=True, slots=True)
class Cancel(Block):
    """The deal, or some of its lines, end."""

    start: dt.date | None = key(date, name="from", default=None)
    mode: str = key(choice("now", "period_end", "backdated"), default="now")
    lines: tuple[str, ...] = key(listing(text), default=())
    deal: str = key(text, default="")


@dataclass(frozen=True, slots=True)
class Renew(Block):
    """The deal goes on after its end."""

    months: int = key(whole)
    uplift_percent: Decimal = key(decimal, default=Decimal(0))
    reprice: str = key(choice("keep", "list"), default="keep")
    deal: str = key(text, default="")


@dataclass(frozen=True, slots=True)
class NewPrice(Block):
    """A new list price; contracts keep theirs until an amendment moves them."""

    sku: str = key(text)
    price: Any = key(price)
    start: dt.date | None = key(date, name="from", default=None)
    per: str = key(choice(*Price.Interval.values), default="month")


@dataclass(frozen=True, slots=True)
class Pay(Block):
    """Money comes in."""

    amount: Decimal = key(decimal)
    invoice: int | None = key(whole, default=None)
    reference: str = key(text, default="")


@dataclass(frozen=True, slots=True)
class CreditLine(Block):
    """What of an invoice's line is credited."""

    line: int = key(whole)
    net: Decimal = key(decimal)


@dataclass(frozen=True, slots=True)
class Credit(Block):
    """A credit memo written by a person."""

    invoice: int = key(whole)
    because: str = key(text, default="goodwill")
    lines: tuple[CreditLine, ...] = key(listing(record(CreditLine)), default=())


@dataclass(frozen=True, slots=True)
class UseCredit(Block):
    """A credit memo is set against an invoice."""

    credit: int = key(whole)
    invoice: int = key(whole)
    amount: Decimal = key(decimal)


@dataclass(frozen=True, slots=True)
class Void(Block):
    """An invoice is voided: its charges are due again."""

    invoice: int = key(whole)


@dataclass(frozen=True, slots=True)
class Judge(Block):
    """A person judges how an amendment is accounted for on one line, and another agrees."""

    line: str = key(text)
    treatment: str = key(choice(*TREATMENTS))
    distinct: bool | None = key(flag, default=None)
    price_support: str = key(text, default="")
    amendment: int | None = key(whole, default=None)
    deal: str = key(text, default="")


@dataclass(frozen=True, slots=True)
class Months(Block):
    """The month that an act of the accountants is for."""

    month: str = key(month)


@dataclass(frozen=True, slots=True)
class Happening(Block):
    """One day on which something happens: exactly one of the acts, or a check."""

    on: dt.date = key(date)
    bill: Bill | None = key(record(Bill), default=None)
    use: tuple[Use, ...] | None = key(listing(record(Use)), default=None)
    retract: Retract | None = key(record(Retract, "id"), default=None)
    grant: GrantCredit | None = key(record(GrantCredit, "amount"), default=None)
    expire: Expire | None = key(record(Expire), default=None)
    reach: Reach | None = key(record(Reach), default=None)
    change_quantity: ChangeQuantity | None = key(record(ChangeQuantity), default=None)
    change_price: ChangePrice | None = key(record(ChangePrice), default=None)
    override: Override | None = key(record(Override), default=None)
    redeem: Redeem | None = key(record(Redeem), default=None)
    change_plan: ChangePlan | None = key(record(ChangePlan), default=None)
    pause: PauseBlock | None = key(record(PauseBlock), default=None)
    resume: Resume | None = key(record(Resume), default=None)
    transfer: TransferBlock | None = key(record(TransferBlock, "to"), default=None)
    undo: UndoBlock | None = key(record(UndoBlock, "amendment"), default=None)
    add_line: AddLine | None = key(record(AddLine), default=None)
    cancel: Cancel | None = key(record(Cancel), default=None)
    renew: Renew | None = key(record(Renew), default=None)
    list_price: NewPrice | None = key(record(NewPrice), default=None)
    pay: Pay | None = key(record(Pay, "amount"), default=None)
    credit: Credit | None = key(record(Credit), default=None)
    use_credit: UseCredit | None = key(record(UseCredit), default=None)
    void: Void | None = key(record(Void, "invoice"), default=None)
    judge: Judge | None = key(record(Judge), default=None)
    recognise: Months | None = key(record(Months, "month"), default=None)
    close: Months | None = key(record(Months, "month"), default=None)
    check: Expect | None = key(record(Expect), default=None)
    refused: str = key(text, default="")
    reason: str = key(text, default="")

    @property
    def act(self) -> str:
        """The key of what happens."""
        return next(name for name in ACTS if getattr(self, name) is not None)


ACTS = tuple(one.name for one in reading.keys_of(Happening) if one.name not in ("on", "refused", "reason"))
