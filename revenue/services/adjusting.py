"""Movements between the balances of a contract that are no revenue: attribution of billing, contract
assets, exchange differences. Each is a target less what is there, so a second run moves nothing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

from django.db.models import Q, Sum

from o2c import ledger
from o2c.money import quantize
from revenue.domain.layers import Layer, release, remeasure
from revenue.domain.layers import settle as settle_layers
from revenue.domain.position import Pricing, attribute, position
from revenue.models import Adjustment, Allocation, Obligation, RevenueContract
from revenue.postings import (
    CONTRACT_ASSET,
    CONTRACT_LIABILITY,
    PREPAID,
    REALISED_FX,
    UNBILLED,
    UNREALISED_FX,
)
from revenue.selectors.balances import Balance, ByAccount

if TYPE_CHECKING:
    from revenue.services.recognition_chunk import Context

ZERO = Decimal(0)
Kind = Adjustment.Kind


@dataclass(slots=True)
class Books:
    """The contracts of a chunk and what they stand at, moving as the run goes on."""

    context: Context
    contracts: Mapping[int, RevenueContract]
    obligations: Mapping[int, Obligation]
    balances: dict[int, dict[int, ByAccount]]
    rates: Mapping[str, Decimal]
    adjustments: list[Adjustment] = field(default_factory=list)

    def is_foreign(self, contract: int) -> bool:
        return self.contracts[contract].currency != self.context.functional_currency

    def account(self, obligation: Obligation, account: str) -> Balance:
        """The obligation's balance on the account; an empty one when nothing was ever posted."""
        of_contract = self.balances.setdefault(obligation.contract_id, {})
        return of_contract.setdefault(obligation.pk, {}).setdefault(account, Balance())

    def liability(self, obligation: Obligation) -> Layer:
        """Contract liability with the contract asset netted: where invoices and revenue meet."""
        whole = self.account(obligation, CONTRACT_LIABILITY).now
        return whole + self.account(obligation, CONTRACT_ASSET).now

    def take(self, obligation: Obligation, amount: Decimal) -> Decimal:
        """Take `amount` of revenue out of the obligation's balance; its functional worth."""
        account = obligation.balance_account
        if not self.is_foreign(obligation.contract_id):
            worth = amount
        else:
            rate = self.rates[self.contracts[obligation.contract_id].currency]
            if account == UNBILLED:
                # rounding: translation of an accrual at the closing rate, which is its posting date's
                worth = quantize(amount * rate, self.context.functional_currency)
            else:
                held = (
                    self.liability(obligation)
                    if account == CONTRACT_LIABILITY
                    else (self.account(obligation, account).now)
                )
                worth = release(held, amount, rate, self.context.functional_currency)
        self.move(obligation, account, Layer(-amount, -worth))
        return worth

    def move(self, obligation: Obligation, account: str, layer: Layer) -> None:
        self.account(obligation, account).now += layer

    def pair(
        self, obligation: int, debit: str, credit: str, amount: Decimal, worth: Decimal
    ) -> list[ledger.Line]:
        """Debit and credit about one obligation; negative amounts the other way round."""
        owner = self.obligations[obligation]
        party = self.contracts[owner.contract_id].customer_id
        reference = f"order_line:{owner.order_line_id}"
        foreign = self.is_foreign(owner.contract_id)
        return [
            ledger.Line(
                account,
                debit=max(sign * amount, ZERO),
                credit=max(-sign * amount, ZERO),
                party_id=party,
                reference=reference,
                functional=sign * worth if foreign else None,
            )
            for account, sign in ((debit, 1), (credit, -1))
        ]

    def entry(
        self, contract: int, rule: str, lines: list[ledger.Line], *, on: dt.date | None = None
    ) -> ledger.Entry:
        day = on or self.context.last_day
        return ledger.Entry(
            entity_id=self.context.run.entity_id,
            currency=self.contracts[contract].currency,
            posting_date=day,
            effective_date=self.context.last_day,
            event_key=f"revenue.recognitionrun:{self.context.run.pk}:{contract}",
            rule=rule,
            source=f"revenue.revenuecontract:{contract}",
            lines=lines,
        )

    def adjust(self, obligation: Obligation, kind: str, layer: Layer) -> None:
        self.adjustments.append(
            Adjustment(
                run=self.context.run,
                contract_id=obligation.contract_id,
                obligation=obligation,
                period=self.context.period,
                kind=kind,
                currency=self.contracts[obligation.contract_id].currency,
                amount=layer.amount,
                functional=layer.functional,
            )
        )

    def by_contract(self) -> Iterable[tuple[int, list[Obligation]]]:
        grouped: dict[int, list[Obligation]] = {}
        for obligation in self.obligations.values():
            grouped.setdefault(obligation.contract_id, []).append(obligation)
        return grouped.items()


def settle(books: Books) -> list[ledger.Entry]:
    """Invoices of the period that replaced service given ahead of them: the exchange difference.

    Comes before the period's own revenue, which then leaves from layers at their right rates.
    """
    home = books.context.functional_currency
    entries = []
    for contract, obligations in books.by_contract():
        if not books.is_foreign(contract):
            continue
        lines: list[ledger.Line] = []
        for obligation in obligations:
            liability = books.account(obligation, CONTRACT_LIABILITY)
            asset = books.account(obligation, CONTRACT_ASSET)
            opening = liability.opening + asset.opening
            gain = settle_layers(opening, liability.billed, home) + liability.settled
            if gain:
                lines += books.pair(obligation.pk, CONTRACT_LIABILITY, REALISED_FX, ZERO, gain)
                books.move(obligation, CONTRACT_LIABILITY, Layer(ZERO, -gain))
                books.adjust(obligation, Kind.SETTLED, Layer(ZERO, -gain))
        if lines:
            entries.append(books.entry(contract, "revenue.fx_settled", lines))
    return entries


def at_month_end(books: Books) -> list[ledger.Entry]:
    """Attribution, exchange differences, contract assets, in this order."""
    entries = _attribute(books)
    for contract, obligations in books.by_contract():
        if books.is_foreign(contract):
            entries += _remeasure(books, contract, obligations)
        entries += _assets(books, contract, obligations)
    return entries


def _attribute(books: Books) -> list[ledger.Entry]:
    """Let what was billed follow the allocation, in contracts whose prices were ever reallocated."""
    moved = _moved(books)
    concerned = {books.obligations[pk].contract_id for pk in moved}
    concerned |= {c.pk for c in books.contracts.values() if c.reallocates}
    if not concerned:
        return []
    prices, credits = _prices(books, concerned)
    entries = []
    for contract, obligations in books.by_contract():
        if contract not in concerned:
            continue
        own = [o for o in obligations if o.pk in prices]
        billed = {
            o.pk: books.account(o, o.balance_account).billed_ever - credits.get(o.pk, ZERO) for o in own
        }
        targets = attribute(billed, {o.pk: prices[o.pk] for o in own}, books.contracts[contract].currency)
        moves = {o.pk: targets.get(o.pk, ZERO) - moved.get(o.pk, ZERO) for o in own}
        lines = _move_between(books, contract, {key: move for key, move in moves.items() if move})
        if lines:
            entries.append(books.entry(contract, "revenue.reallocated", lines))
    return entries


def _moved(books: Books) -> dict[int, Decimal]:
    """What was attributed up to the end of this period, per obligation."""
    rows = (
        Adjustment.objects.filter(
            contract__in=list(books.contracts),
            kind=Kind.REALLOCATION,
            period__starts_on__lte=books.context.period.starts_on,
        )
        .values_list("obligation")
        .annotate(amount=Sum("amount"))
        .order_by()
    )
    return dict(rows)


def _prices(books: Books, contracts: Iterable[int]) -> tuple[dict[int, Pricing], dict[int, Decimal]]:
    """Stated and allocated price, and credit, per obligation with a fixed price, as of the period's end.

    Those of the last version that was in force by then; of the first, when none was yet.
    """
    rows = (
        Allocation.objects.filter(version__contract__in=list(contracts))
        .exclude(obligation__basis=Obligation.Basis.CHARGED)
        .filter(Q(version__effective_on__lt=books.context.period.ends_on) | Q(version__number=1))
        .order_by("version__number")
        .values_list("obligation_id", "stated", "price", "credit")
    )
    prices, credits = {}, {}
    for obligation, stated, price, credit in rows:
        prices[obligation], credits[obligation] = Pricing(stated, price), credit
    return prices, credits


def _move_between(books: Books, contract: int, moves: Mapping[int, Decimal]) -> list[ledger.Line]:
    """Lines that move balances between obligations; what leaves brings its worth along."""
    if not moves:
        return []
    worth = _worth_of_moves(books, contract, moves)
    lines = []
    for pk, amount in moves.items():
        obligation = books.obligations[pk]
        account = obligation.balance_account
        lines.append(books.pair(pk, account, account, -amount, -worth[pk])[0])
        books.move(obligation, account, Layer(amount, worth[pk]))
        books.adjust(obligation, Kind.REALLOCATION, Layer(amount, worth[pk]))
    return lines


def _worth_of_moves(books: Books, contract: int, moves: Mapping[int, Decimal]) -> dict[int, Decimal]:
    if not books.is_foreign(contract):
        return dict(moves)
    home, rate = books.context.functional_currency, books.rates[books.contracts[contract].currency]
    worth = {}
    for pk, amount in moves.items():
        if amount < 0:
            obligation = books.obligations[pk]
            held = books.account(obligation, obligation.balance_account).now
            worth[pk] = -release(held, -amount, rate, home)
    left, weight = -sum(worth.values(), ZERO), sum((a for a in moves.values() if a > 0), ZERO)
    for pk in [pk for pk, amount in moves.items() if amount > 0]:
        # rounding: the worth that left, over those that receive; the last takes the rest
        part = (
            left
            if moves[pk] == weight
            else quantize(Fraction(left) * Fraction(moves[pk]) / Fraction(weight), home)
        )
        worth[pk], left, weight = part, left - part, weight - moves[pk]
    return worth


def _remeasure(books: Books, contract: int, obligations: list[Obligation]) -> list[ledger.Entry]:
    """Unbilled receivables at the closing rate; worth left on balances of zero is swept out."""
    home, rate = books.context.functional_currency, books.rates[books.contracts[contract].currency]
    measured: list[ledger.Line] = []
    swept: list[ledger.Line] = []
    for obligation in obligations:
        unbilled = books.account(obligation, UNBILLED).now
        change = remeasure(unbilled, rate, home)
        if change:
            other = UNREALISED_FX if unbilled.amount else REALISED_FX
            measured += books.pair(obligation.pk, UNBILLED, other, ZERO, -change)
            books.move(obligation, UNBILLED, Layer(ZERO, change))
            books.adjust(obligation, Kind.REMEASURED, Layer(ZERO, change))
        for account in (CONTRACT_LIABILITY, PREPAID):
            held = (
                books.liability(obligation)
                if account == CONTRACT_LIABILITY
                else (books.account(obligation, account).now)
            )
            if not held.amount and held.functional:
                swept += books.pair(obligation.pk, account, REALISED_FX, ZERO, held.functional)
                books.move(obligation, account, Layer(ZERO, -held.functional))
                books.adjust(obligation, Kind.SWEPT, Layer(ZERO, -held.functional))
    entries = []
    if measured:
        entries.append(books.entry(contract, "revenue.fx_remeasured", measured))
    if swept:
        entries.append(books.entry(contract, "revenue.fx_swept", swept))
    return entries


def _assets(books: Books, contract: int, obligations: list[Obligation]) -> list[ledger.Entry]:
    """Show the net debit of a contract as its asset, and take that back on the next day."""
    held = {o.pk: books.liability(o) for o in obligations}
    currency = books.contracts[contract].currency
    targets = position({pk: layer.amount for pk, layer in held.items()}, currency).reclass
    lines: list[ledger.Line] = []
    for obligation in obligations:
        asset = books.account(obligation, CONTRACT_ASSET).now
        wanted = targets.get(obligation.pk, ZERO)
        worth = _worth_of_asset(books, held[obligation.pk], wanted)
        change = Layer(wanted + asset.amount, worth + asset.functional)
        if not change.amount and not change.functional:
            continue
        lines += books.pair(
            obligation.pk, CONTRACT_ASSET, CONTRACT_LIABILITY, change.amount, change.functional
        )
        books.move(obligation, CONTRACT_ASSET, Layer(-change.amount, -change.functional))
        books.move(obligation, CONTRACT_LIABILITY, change)
        books.adjust(obligation, Kind.ASSET, change)
    if not lines:
        return []
    back = [_reversed(line) for line in lines]
    return [
        books.entry(contract, "revenue.asset", lines),
        books.entry(contract, "revenue.asset_reversed", back, on=books.context.period.ends_on),
    ]


def _worth_of_asset(books: Books, held: Layer, wanted: Decimal) -> Decimal:
    """The worth, debit positive, of the part `wanted` of a balance in debit."""
    if not wanted:
        return ZERO
    if wanted == -held.amount:
        return -held.functional
    share = Fraction(wanted) / Fraction(-held.amount)
    # rounding: the share of the debit that is shown as asset
    return quantize(Fraction(-held.functional) * share, books.context.functional_currency)


def _reversed(line: ledger.Line) -> ledger.Line:
    return ledger.Line(
        line.account,
        debit=line.credit,
        credit=line.debit,
        party_id=line.party_id,
        reference=line.reference,
        functional=None if line.functional is None else -line.functional,
    )
