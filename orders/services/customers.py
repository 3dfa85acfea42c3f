"""Customers: found by their CRM id or number and brought up to date, or made. Set-based throughout."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Any

from babel.core import get_global
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db.models import Q

from o2c import locks
from o2c.access import require
from o2c.actor import Actor, acting
from o2c.controls import approvals
from o2c.controls.approvals.models import Request
from o2c.errors import Conflict, InvalidInput, NotFound
from o2c.ledger.models import LegalEntity
from o2c.money import minor_units
from orders.domain import tax_ids
from orders.models import Contact, Customer, TaxRegistration
from orders.policy_masters import IDENTITY, USUAL_TERMS
from orders.salesforce.ids import eighteen
from orders.services.common import BATCH, Problems, changed, move, numbered, time_zones
from orders.services.inputs import ContactInput, CustomerInput

# Columns that are copied from the input as they are, when they are said.
PLAIN = [
    f.name
    for f in fields(CustomerInput)
    if f.name not in {"entity", "currency", "contacts", "tax_registrations", "number", "salesforce_id"}
]
TERRITORIES = frozenset(code for code in get_global("territory_zones") if re.fullmatch("[A-Z]{2}", code)) | {
    "XK"
}
LONGEST_TERMS = 365


def upsert(data: CustomerInput, *, actor: Actor, reason: str = "") -> Customer:
    """Make the customer, or bring the known one up to date with what `data` says. See `upsert_many`."""
    return upsert_many([data], actor=actor, reason=reason)[0]


def upsert_many(items: Sequence[CustomerInput], *, actor: Actor, reason: str = "") -> list[Customer]:
    """Make or update customers, in a number of statements that does not grow with their number.

    A customer is known by `salesforce_id`, else by `number`. Contacts and tax registrations are added or
    renamed, never removed. Raises InvalidInput with every problem of every item, Conflict when a known
    customer would change its entity or currency, NotFound for an unknown number or entity. Answers in the
    order of the input.
    """
    with acting(actor, reason=reason):
        require(actor, "orders.customer.maintain")
        items = _checked(items)
        known = _known(items)
        entities = _entities(items)
        made: list[Customer] = []
        result: list[Customer] = []
        touched: dict[int, Customer] = {}
        numbers = numbered(Customer, "C", sum(_key(item) not in known for item in items))
        for item in items:
            customer = known.get(_key(item))
            if customer is None:
                customer = _new(item, entities, *numbers[len(made)])
                made.append(customer)
            elif _updated(customer, item, entities):
                touched[customer.pk] = customer
            result.append(customer)
        Customer.objects.bulk_create(made, batch_size=BATCH)
        _usual(made)
        if touched:
            terms, identities = _terms(touched), _identities(touched)
            Customer.objects.bulk_update(list(touched.values()), [*PLAIN, "salesforce_id"], batch_size=BATCH)
            moved = [pk for pk, was in terms.items() if was != _said(touched[pk])]
            approvals.gate("orders.customer.change_terms", moved)
            renamed = [pk for pk, was in identities.items() if was != _identity(touched[pk])]
            approvals.gate("orders.customer.change_identity", renamed)
        _save_contacts(list(zip(result, items, strict=True)))
        _save_registrations(list(zip(result, items, strict=True)))
        return result


def _usual(made: Sequence[Customer]) -> None:
    """A new customer begins with terms that need nobody's approval. Raises Conflict for others."""
    asked = [c.pk for c in made if c.tax_exempt or c.payment_terms_days > USUAL_TERMS]
    if needed := approvals.needs_approval("orders.customer.change_terms", asked) if asked else {}:
        customer = next(c for c in made if c.pk in needed)
        raise Conflict(
            "A new customer is not exempt from tax and does not pay later than others before somebody agreed",
            record=customer.name,
            remedy="Make it without, then ask for its terms to be changed",
            code="approval_required",
        )


def _said(customer: Customer) -> tuple[int, bool]:
    return customer.payment_terms_days, customer.tax_exempt


def _terms(pks: Iterable[int]) -> dict[int, tuple[int, bool]]:
    """Payment terms and tax exemption as they are stored."""
    rows = Customer.objects.filter(pk__in=pks).values_list("pk", "payment_terms_days", "tax_exempt")
    return {pk: (days, exempt) for pk, days, exempt in rows}


def _identity(customer: Customer) -> tuple[str, ...]:
    return tuple(getattr(customer, name) for name in IDENTITY)


def _identities(pks: Iterable[int]) -> dict[int, tuple[str, ...]]:
    """Whom and where we bill, as it is stored."""
    rows = Customer.objects.filter(pk__in=pks).values_list("pk", *IDENTITY)
    return {pk: tuple(values) for pk, *values in rows}


def change_identity(pk: int, *, actor: Actor, reason: str = "", **values: str) -> Customer:
    """Change whom and where we bill: legal name, tax id, country, address, where invoices go.

    `values` are columns of IDENTITY. Raises InvalidInput for others and for values that are none, Conflict
    when somebody else has to look first, because the customer has had an active order.
    """
    with acting(actor, reason=reason):
        customer: Customer = locks.row(Customer, pk)
        require(actor, "orders.customer.maintain", record=str(customer))
        if unknown := sorted(set(values) - set(IDENTITY)):
            raise InvalidInput(f"{', '.join(unknown)} is no part of it", record=str(customer))
        asked = {"country": customer.country} | values
        data = _checked([CustomerInput(name=customer.name, number=customer.number, **asked)])[0]  # type: ignore[arg-type]
        names = changed(customer, {name: getattr(data, name) for name in values})
        if not names:
            raise Conflict("Nothing about it is new", record=str(customer))
        customer.save(update_fields=names)
        approvals.gate("orders.customer.change_identity", [pk])
        return customer


def ask_change_identity(pk: int, *, actor: Actor, reason: str = "", **values: str) -> Request:
    """Ask somebody who keeps no customers to allow it."""
    return approvals.submit(
        "orders.customer.change_identity", pk, actor=actor, reason=reason, parameters=values
    )


def change_terms(
    pk: int, *, payment_terms_days: int, tax_exempt: bool, actor: Actor, reason: str = ""
) -> Customer:
    """Change what weakens a claim: how late the customer pays, and whether without tax.

    Raises Conflict when its policy wants somebody else to look first, InvalidInput beyond a year.
    """
    with acting(actor, reason=reason):
        customer: Customer = locks.row(Customer, pk)
        require(actor, "orders.customer.maintain", record=str(customer))
        if not 0 <= payment_terms_days <= LONGEST_TERMS:
            raise InvalidInput(f"Terms are between 0 and {LONGEST_TERMS} days", record=str(customer))
        customer.payment_terms_days, customer.tax_exempt = payment_terms_days, tax_exempt
        customer.save(update_fields=["payment_terms_days", "tax_exempt"])
        approvals.gate("orders.customer.change_terms", [pk])
        return customer


def ask_change_terms(
    pk: int, *, payment_terms_days: int, tax_exempt: bool, actor: Actor, reason: str = ""
) -> Request:
    """Ask somebody else to allow other payment terms or an exemption from tax."""
    values = {"payment_terms_days": str(payment_terms_days), "tax_exempt": str(tax_exempt).lower()}
    return approvals.submit("orders.customer.change_terms", pk, actor=actor, reason=reason, parameters=values)


def deactivate(pk: int, *, actor: Actor, reason: str = "") -> Customer:
    """No new quotes or orders for this customer."""
    with acting(actor, reason=reason):
        customer = locks.row(Customer, pk)
        require(actor, "orders.customer.deactivate", record=str(customer))
        move([customer], "deactivate")
        return customer


def reactivate(pk: int, *, actor: Actor, reason: str = "") -> Customer:
    """Take the customer back into business."""
    with acting(actor, reason=reason):
        customer = locks.row(Customer, pk)
        require(actor, "orders.customer.reactivate", record=str(customer))
        move([customer], "reactivate")
        return customer


def add_contact(
    pk: int, *, name: str, email: str, kind: str = "billing", actor: Actor, reason: str = ""
) -> Contact:
    """Add a contact to the customer, or rename the one with this address and kind."""
    with acting(actor, reason=reason):
        customer = locks.row(Customer, pk)
        require(actor, "orders.customer.maintain", record=str(customer))
        found = Problems()
        _check_contact(ContactInput(name, email, kind), "", found)
        found.raise_if_any("The contact", record=str(customer))
        item = CustomerInput(name=customer.name, contacts=(ContactInput(name, email, kind),))
        _save_contacts([(customer, item)])
        return customer.contacts.get(email=email, kind=kind)


def remove_contact(pk: int, *, actor: Actor, reason: str = "") -> None:
    """Remove a contact; its history stays."""
    with acting(actor, reason=reason):
        contact = locks.row(Contact, pk)
        require(actor, "orders.customer.maintain", record=str(contact))
        contact.delete()


def _key(item: CustomerInput) -> tuple[str, str] | int:
    if item.salesforce_id:
        return ("salesforce_id", item.salesforce_id)
    return ("number", item.number) if item.number else id(item)


def _known(items: Sequence[CustomerInput]) -> dict[tuple[str, str] | int, Customer]:
    """The customers that the items mean, locked, by their key. Raises NotFound for a number nobody has."""
    crm = [item.salesforce_id for item in items if item.salesforce_id]
    numbers = [item.number for item in items if item.number]
    known: dict[tuple[str, str] | int, Customer] = {}
    rows = Customer.objects.select_for_update().order_by("pk")
    for customer in rows.filter(Q(salesforce_id__in=crm) | Q(number__in=numbers)):
        known[("number", customer.number)] = customer
        if customer.salesforce_id:
            known[("salesforce_id", customer.salesforce_id)] = customer
    for item in items:
        if item.number and ("number", item.number) not in known:
            raise NotFound(
                f"There is no customer {item.number}", remedy="Leave the number out to make a new one"
            )
        if item.number and item.salesforce_id and ("salesforce_id", item.salesforce_id) not in known:
            known[("salesforce_id", item.salesforce_id)] = known[("number", item.number)]
    return known


def _entities(items: Sequence[CustomerInput]) -> dict[str, LegalEntity]:
    codes = {item.entity for item in items if item.entity}
    found = {entity.code: entity for entity in LegalEntity.objects.filter(code__in=codes)}
    if missing := sorted(codes - set(found)):
        raise NotFound(f"There is no legal entity {', '.join(missing)}", remedy="Use the code of one of ours")
    return found


def _new(item: CustomerInput, entities: Mapping[str, LegalEntity], pk: int, number: str) -> Customer:
    record = item.salesforce_id or item.name
    missing = [name for name in ("entity", "currency", "country") if getattr(item, name) is None]
    if missing:
        raise InvalidInput(
            f"A new customer needs {', '.join(missing)}",
            record=record,
            fields={name: ["is missing"] for name in missing},
        )
    customer = Customer(
        pk=pk,
        number=number,
        entity=entities[item.entity or ""],
        currency=item.currency or "",
        salesforce_id=item.salesforce_id,
        **{name: getattr(item, name) for name in PLAIN if getattr(item, name) is not None},
    )
    customer.legal_name = customer.legal_name or customer.name
    customer.bill_to_name = customer.bill_to_name or customer.legal_name
    customer.bill_to_country = customer.bill_to_country or customer.country
    return customer


def _updated(customer: Customer, item: CustomerInput, entities: Mapping[str, LegalEntity]) -> bool:
    """Bring the row in memory up to date; True when something differs."""
    entity = entities[item.entity].pk if item.entity else customer.entity_id
    if entity != customer.entity_id or (item.currency or customer.currency) != customer.currency:
        raise Conflict(
            "Entity and currency of a customer never change: its documents are in them",
            record=str(customer),
            remedy="Make another customer for the other entity or currency",
            code="customer_entity_currency",
        )
    values: dict[str, Any] = {n: getattr(item, n) for n in PLAIN if getattr(item, n) is not None}
    if item.salesforce_id:
        values["salesforce_id"] = item.salesforce_id
    return bool(changed(customer, values))


def _checked(items: Sequence[CustomerInput]) -> list[CustomerInput]:
    """The items with tax ids compact and CRM ids in 18 characters. Raises InvalidInput with every problem."""
    found = Problems()
    checked = []
    for index, item in enumerate(items):
        path = f"[{index}]." if len(items) > 1 else ""
        checked.append(_checked_one(item, path, found))
    keys = [_key(item) for item in checked]
    if len(set(keys)) != len(keys):
        found.add("", "the same customer is given twice")
    one = items[0].salesforce_id or items[0].number or items[0].name if len(items) == 1 else ""
    found.raise_if_any("The customer" if len(items) == 1 else "The list of customers", record=one)
    return checked


def _checked_one(item: CustomerInput, path: str, found: Problems) -> CustomerInput:
    values: dict[str, Any] = {f.name: getattr(item, f.name) for f in fields(item)}
    if not item.name.strip():
        found.add(f"{path}name", "is missing")
    for name in ("country", "bill_to_country"):
        if (code := values[name]) and code not in TERRITORIES:
            found.add(f"{path}{name}", f"{code!r} is not a country code such as IE")
    _attempt(lambda: item.currency and minor_units(item.currency), f"{path}currency", found)
    if item.time_zone and item.time_zone not in time_zones():
        found.add(f"{path}time_zone", f"{item.time_zone!r} is not a time zone such as Europe/Dublin")
    if item.payment_terms_days is not None and not 0 <= item.payment_terms_days <= LONGEST_TERMS:
        found.add(f"{path}payment_terms_days", f"is not between 0 and {LONGEST_TERMS} days")
    if item.billing_email:
        _check_email(item.billing_email, f"{path}billing_email", found)
    for index, contact in enumerate(item.contacts):
        _check_contact(contact, f"{path}contacts[{index}].", found)
    if item.tax_id and item.country:
        values["tax_id"] = _attempt(
            lambda: tax_ids.compact(item.country or "", item.tax_id or ""), f"{path}tax_id", found
        )
    values["tax_registrations"] = {
        country: _attempt(
            lambda c=country, n=number: tax_ids.compact(c, n), f"{path}tax_registrations.{country}", found
        )
        for country, number in item.tax_registrations.items()
    }
    if item.salesforce_id:
        values["salesforce_id"] = _attempt(
            lambda: eighteen(item.salesforce_id or ""), f"{path}salesforce_id", found
        )
    for name in PLAIN:
        limit = getattr(Customer._meta.get_field(name), "max_length", None)
        if limit and isinstance(values[name], str) and len(values[name]) > limit:
            found.add(f"{path}{name}", f"is longer than {limit} characters")
    return CustomerInput(**values)


def _attempt(compute: Any, path: str, found: Problems) -> Any:
    """The result of a check that may refuse; its refusal becomes a problem at `path`."""
    try:
        return compute()
    except InvalidInput as error:
        found.add(path, error.message)
        return None


def _check_email(address: str, path: str, found: Problems) -> None:
    try:
        validate_email(address)
    except ValidationError:
        found.add(path, f"{address!r} is not an e-mail address")


def _check_contact(contact: ContactInput, path: str, found: Problems) -> None:
    if not contact.name.strip():
        found.add(f"{path}name", "is missing")
    _check_email(contact.email, f"{path}email", found)
    if contact.kind not in Contact.Kind.values:
        found.add(f"{path}kind", f"{contact.kind!r} is not one of {', '.join(Contact.Kind.values)}")


def _save_contacts(pairs: Sequence[tuple[Customer, CustomerInput]]) -> None:
    rows = {
        (customer.pk, contact.email, contact.kind): Contact(
            customer=customer, name=contact.name, email=contact.email, kind=contact.kind
        )
        for customer, item in pairs
        for contact in item.contacts
    }
    if rows:
        Contact.objects.bulk_create(
            rows.values(),
            batch_size=BATCH,
            update_conflicts=True,
            unique_fields=["customer", "email", "kind"],
            update_fields=["name"],
        )


def _save_registrations(pairs: Sequence[tuple[Customer, CustomerInput]]) -> None:
    rows = {
        (customer.pk, country): TaxRegistration(customer=customer, country=country, number=number)
        for customer, item in pairs
        for country, number in item.tax_registrations.items()
    }
    if rows:
        TaxRegistration.objects.bulk_create(
            rows.values(),
            batch_size=BATCH,
            update_conflicts=True,
            unique_fields=["customer", "country"],
            update_fields=["number"],
        )
