"""Quotes: written, submitted, approved by somebody else, accepted into a draft order."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from django.db.models import Max

from o2c import clock, locks
from o2c.access import require
from o2c.actor import Actor, acting
from o2c.controls import approvals
from o2c.controls.approvals.models import Request
from o2c.errors import Conflict, InvalidInput, NotAuthorised, NotFound
from orders.domain.schedules import CUSTOM
from orders.models import BillingTerms, Customer, Order, Quote, QuoteLine
from orders.services import orders as order_services
from orders.services.common import BATCH, Problems, changed, move, numbered, responsible
from orders.services.inputs import LineInput, OrderInput, QuoteInput, TermsInput
from orders.services.lines import Asked, Resolved, clauses, resolve, term_end

TERMS = [f.name for f in BillingTerms._meta.local_fields if f.name != "entity"]


def create_draft(data: QuoteInput, *, actor: Actor, reason: str = "") -> Quote:
    """Write a draft quote with its lines.

    Raises InvalidInput with every problem by its path; an override or a discount without a reason is one.
    """
    with acting(actor, reason=reason):
        require(actor, "orders.quote.draft")
        customer = Customer.objects.filter(pk=data.customer).first()
        if customer is None:
            raise NotFound(f"There is no customer with id {data.customer}")
        quote, lines = _resolved(data, customer, actor)
        quote.pk, quote.number = numbered(Quote, "Q", 1)[0]
        quote.save(force_insert=True)
        _write_lines(quote, lines)
        return quote


def edit_draft(pk: int, data: QuoteInput, *, actor: Actor, reason: str = "") -> Quote:
    """Write the terms and lines of a draft anew. Whoever does this can't approve the quote any more."""
    with acting(actor, reason=reason):
        quote = locks.row(Quote, pk)
        require(actor, "orders.quote.draft", record=str(quote))
        if quote.state != Quote.State.DRAFT:
            raise Conflict(f"The quote is {quote.state}", record=str(quote), remedy="Recall it, or revise it")
        if data.customer != quote.customer_id:
            raise InvalidInput("The customer of a quote never changes", record=str(quote))
        fresh, lines = _resolved(data, quote.customer, actor)
        names = [*TERMS, "title", "valid_until", "starts_on", "ends_on", "last_edited_by_id"]
        changed(quote, {name: getattr(fresh, name) for name in names})
        quote.save()
        QuoteLine.objects.filter(quote=quote).delete()
        _write_lines(quote, lines)
        return quote


def submit(pk: int, *, actor: Actor, reason: str = "") -> Quote:
    """Ask for approval of a draft. Raises Conflict for a quote without lines or past its validity."""
    with acting(actor, reason=reason):
        quote = locks.row(Quote, pk)
        require(actor, "orders.quote.submit", record=str(quote))
        if not quote.lines.exists():
            raise Conflict("The quote has no lines", record=str(quote), remedy="Add what is offered")
        _still_valid(quote)
        move([quote], "submit", submitted_by_id=responsible(actor), submitted_at=clock.now())
        return quote


def ask(pk: int, *, actor: Actor, reason: str = "") -> Request:
    """Ask those whom its terms need to approve a submitted quote."""
    return approvals.submit("orders.quote.approve", pk, actor=actor, reason=reason)


def recall(pk: int, *, actor: Actor, reason: str = "") -> Quote:
    """Take a submitted quote back to draft."""
    with acting(actor, reason=reason):
        quote = locks.row(Quote, pk)
        require(actor, "orders.quote.submit", record=str(quote))
        move([quote], "recall", submitted_by_id=None, submitted_at=None)
        return quote


def approve(pk: int, *, actor: Actor, reason: str = "") -> Quote:
    """Allow the offer to go out.

    Raises NotAuthorised for whoever submitted or last edited it, also through an account that acts for them,
    and Conflict when its terms need a request that others decide.
    """
    with acting(actor, reason=reason):
        quote = locks.row(Quote, pk)
        require(actor, "orders.quote.approve", record=str(quote))
        _not_the_maker(quote, actor)
        if quote.state == Quote.State.SUBMITTED:
            approvals.gate("orders.quote.approve", [pk])
        move(
            [quote],
            "approve",
            approved_by_id=responsible(actor),
            approved_at=clock.now(),
            decision_note=reason,
        )
        return quote


def reject(pk: int, *, actor: Actor, reason: str = "") -> Quote:
    """Refuse the offer; without a reason nobody could do better next time."""
    with acting(actor, reason=reason):
        quote = locks.row(Quote, pk)
        require(actor, "orders.quote.approve", record=str(quote))
        _not_the_maker(quote, actor)
        if not reason.strip():
            raise InvalidInput(
                "A rejection needs a reason", record=str(quote), fields={"reason": ["is missing"]}
            )
        move([quote], "reject", decision_note=reason)
        return quote


def accept(pk: int, *, actor: Actor, accepted_on: dt.date | None = None, reason: str = "") -> Order:
    """Record that the customer accepted, and make the draft order from the quote.

    Whoever records it need not be able to enter orders: the order holds what was approved and nothing else.
    Raises Conflict past the last day of validity.
    """
    with acting(actor, reason=reason):
        quote = locks.row(Quote, pk)
        require(actor, "orders.quote.accept", record=str(quote))
        day = accepted_on or clock.today(quote.time_zone)
        _still_valid(quote, day)
        move([quote], "accept", accepted_on=day)
        return order_services.draft_from_quote(_order_input(quote), actor=actor, reason=reason)


def expire(pk: int, *, actor: Actor, reason: str = "") -> Quote:
    """Close an offer that is no longer open."""
    with acting(actor, reason=reason):
        quote = locks.row(Quote, pk)
        require(actor, "orders.quote.expire", record=str(quote))
        move([quote], "expire")
        return quote


def expire_due(*, actor: Actor, as_of: dt.date, reason: str = "") -> int:
    """Expire every open quote whose last day of validity is before `as_of`."""
    with acting(actor, reason=reason):
        require(actor, "orders.quote.expire")
        open_states = [Quote.State.DRAFT, Quote.State.SUBMITTED, Quote.State.APPROVED]
        rows = Quote.objects.select_for_update(of=("self",)).filter(state__in=open_states)
        due = list(rows.filter(valid_until__lt=as_of).order_by("pk"))
        move(due, "expire")
        return len(due)


def revise(pk: int, *, actor: Actor, valid_until: dt.date, reason: str = "") -> Quote:
    """Begin the next version of a rejected or expired quote, with the same terms and lines."""
    with acting(actor, reason=reason):
        old = locks.row(Quote, pk)
        require(actor, "orders.quote.draft", record=str(old))
        if old.state not in (Quote.State.REJECTED, Quote.State.EXPIRED):
            raise Conflict(
                f"The quote is {old.state}; only a rejected or expired one is revised",
                record=str(old),
                remedy="Recall a submitted quote to change it",
            )
        latest = Quote.objects.filter(number=old.number).aggregate(Max("version"))["version__max"]
        if latest != old.version:
            raise Conflict(f"Version {latest} of it exists already", record=str(old))
        new = Quote(
            number=old.number,
            version=old.version + 1,
            supersedes=old,
            customer=old.customer,
            entity=old.entity,
            currency=old.currency,
            title=old.title,
            valid_until=valid_until,
            starts_on=old.starts_on,
            ends_on=old.ends_on,
            last_edited_by_id=responsible(actor),
            **{name: getattr(old, name) for name in TERMS},
        )
        new.save(force_insert=True)
        lines = list(old.lines.all())
        for line in lines:
            line.pk, line.quote = None, new
            line._state.adding = True
        QuoteLine.objects.bulk_create(lines, batch_size=BATCH)
        return new


def _not_the_maker(quote: Quote, actor: Actor) -> None:
    makers = {quote.submitted_by_id, quote.last_edited_by_id}
    if makers & {actor.user_id, actor.on_behalf_of_id}:
        raise NotAuthorised(
            "Nobody decides about a quote that they submitted or last edited",
            record=str(quote),
            remedy="Ask somebody else who may approve quotes",
            code="maker_is_checker",
        )


def _still_valid(quote: Quote, day: dt.date | None = None) -> None:
    day = day or clock.today(quote.time_zone)
    if quote.valid_until < day:
        raise Conflict(
            f"The offer was valid until {quote.valid_until}",
            record=str(quote),
            remedy="Let it expire and revise it",
            code="quote_expired",
        )


def append_lines(quote: Quote, lines: Sequence[LineInput], *, after: int) -> None:
    """Add lines to a draft that the caller has locked, from position `after` + 1 on."""
    found = Problems()
    asked = Asked("", quote.customer, quote.starts_on, quote.ends_on, tuple(lines))
    resolved = resolve([asked], found)[0]
    _reasons(lines, found)
    found.raise_if_any("The line", record=str(quote), code="quote_invalid")
    _write_lines(quote, resolved, after=after)


def _resolved(data: QuoteInput, customer: Customer, actor: Actor) -> tuple[Quote, list[Resolved]]:
    """An unsaved quote and its lines. Raises InvalidInput with every problem."""
    found = Problems()
    ends_on = term_end(data.starts_on, data.ends_on, data.term_months, "", found)
    if customer.state != Customer.State.ACTIVE:
        found.add("customer", f"{customer} is inactive")
    terms = clauses(data.terms, customer, "", found)
    lines = resolve([Asked("", customer, data.starts_on, ends_on, data.lines)], found)[0]
    _reasons(data.lines, found)
    found.raise_if_any(f"The quote for {customer}", code="quote_invalid")
    quote = Quote(
        customer=customer,
        currency=customer.currency,
        title=data.title,
        valid_until=data.valid_until,
        starts_on=data.starts_on,
        ends_on=ends_on,
        last_edited_by_id=responsible(actor),
        **terms,
    )
    return quote, lines


def _reasons(lines: Sequence[LineInput], found: Problems) -> None:
    """What is not at list price says why; a quote has one step per line."""
    for index, line in enumerate(lines):
        if line.segments:
            found.add(f"lines[{index}].segments", "a quote has one line per step; the order joins them")
        negotiated = line.price_override is not None or line.discount_percent
        if negotiated and not line.override_reason.strip():
            found.add(f"lines[{index}].override_reason", "is missing: why is this not the list price?")


def _write_lines(quote: Quote, lines: Sequence[Resolved], *, after: int = 0) -> None:
    rows = []
    for position, item in enumerate(lines, start=after + 1):
        step = item.steps[0]
        rows.append(
            QuoteLine(
                quote=quote,
                position=position,
                sku=item.sku,
                description=item.asked.description or item.sku.name,
                quantity=step.quantity,
                price=step.price,
                override_spec=step.price_override,
                discount_percent=step.discount_percent,
                override_reason=item.asked.override_reason,
                timing=item.timing,
                frequency=CUSTOM if item.asked.schedule else item.asked.frequency,
                schedule=list(item.asked.schedule),
                starts_on=item.asked.starts_on,
                ends_on=item.asked.ends_on,
            )
        )
    QuoteLine.objects.bulk_create(rows, batch_size=BATCH)


def _order_input(quote: Quote) -> OrderInput:
    """What the customer accepted, as the order that will be signed."""
    lines: list[Any] = [
        LineInput(
            sku=line.sku.code,
            quantity=line.quantity,
            price=line.price_id,
            price_override=line.override_spec,
            discount_percent=line.discount_percent,
            starts_on=line.starts_on,
            ends_on=line.ends_on,
            timing=line.timing,
            frequency=line.frequency,
            description=line.description,
            schedule=tuple(line.schedule),
        )
        for line in quote.lines.select_related("sku")
    ]
    terms = {name: getattr(quote, name) for name in TERMS}
    return OrderInput(
        customer=quote.customer_id,
        starts_on=quote.starts_on,
        ends_on=quote.ends_on,
        lines=tuple(lines),
        terms=replace(TermsInput(), **terms),
        title=quote.title,
        quote=quote.pk,
    )
