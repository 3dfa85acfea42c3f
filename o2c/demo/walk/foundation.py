"""Before the first customer: people, legal entities, periods, rates."""

from __future__ import annotations

from o2c.access.models import RoleGrant, User
from o2c.access.services import accounts, grants
from o2c.access.services.bootstrap import first_administrator
from o2c.actor import Actor
from o2c.demo.plan import company
from o2c.ledger import services as books
from o2c.ledger.models import LegalEntity
from o2c.periods import Period

REASON = "Demonstration company"
FIRST = "ada"


def people(password: str) -> None:
    """The personas, with `password`, each holding their roles; those who exist stay as they are."""
    by_name = {persona.username: persona for persona in company.PERSONAS}
    if not User.objects.filter(username=FIRST).exists():
        ada = by_name[FIRST]
        first_administrator(FIRST, email=f"{FIRST}@lumen.example", display_name=ada.name, password=password)
    admin = Actor.of(User.objects.get(username=FIRST))
    known = set(User.objects.values_list("username", flat=True))
    held = set(RoleGrant.objects.values_list("user__username", "role__code"))
    for persona in company.PERSONAS:
        if persona.username not in known:
            accounts.create_person(
                persona.username,
                email=f"{persona.username}@lumen.example",
                display_name=persona.name,
                password=password,
                actor=admin,
                reason=REASON,
            )
        user = User.objects.get(username=persona.username)
        for role in persona.roles:
            if (persona.username, role) not in held:
                grants.grant(user, role, actor=admin, reason=REASON)


def entities(carla: Actor) -> dict[str, LegalEntity]:
    """Our companies with their open periods, by code."""
    saved = {}
    for plan in company.ENTITIES:
        columns = {name: value for name, value in plan.items() if name != "code"}
        entity = books.save_entity(plan["code"], actor=carla, reason=REASON, **columns)
        books.open_periods(
            entity, Period(company.BOOKS_FROM, company.BOOKS_UNTIL), actor=carla, reason=REASON
        )
        saved[entity.code] = entity
    return saved


def rates(carla: Actor, seed: int) -> int:
    """Exchange rates of the walk; returns how many were new."""
    return books.load_rates(
        company.exchange_rates(seed), source="Demonstration fixing", actor=carla, reason=REASON
    )
