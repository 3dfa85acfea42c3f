"""Acts without their duty: every service, button, form and call of the API, by people who may not.

The services are those that declared transitions and the console's acts name; a duty that the service did not
ask for would let somebody through here.
"""

from __future__ import annotations

import datetime as dt
import inspect
import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

from django.apps import apps
from django.contrib import admin as django_admin
from django.http import HttpRequest
from django.test import Client
from django.urls import NoReverseMatch, reverse

from o2c import clock
from o2c.access.models import Role, User
from o2c.access.registry import is_ours
from o2c.access.services import tokens
from o2c.actor import Actor, acting
from o2c.api.checks import is_call, routes
from o2c.console.acts import resolve
from o2c.controls.selftest.attempts import Attempt, Plan, Refusal, by_code
from o2c.controls.selftest.families.doors import MISSING, browser, host, posting, sending
from o2c.controls.selftest.families.rows import pick
from o2c.controls.selftest.world import REASON, World, give
from o2c.errors import NotAuthorised
from o2c.states import state_field, transitions_of

SAMPLES: tuple[tuple[str, Any], ...] = (
    ("datetime", dt.datetime(2026, 1, 1, tzinfo=dt.UTC)),
    ("date", dt.date(2026, 1, 1)),
    ("Decimal", Decimal(1)),
    ("bool", False),
    ("int", 1),
    ("Sequence", ()),
    ("Iterable", ()),
    ("Mapping", {}),
    ("list", []),
    ("str", "self-test"),
)


def filled(service: Callable[..., Any]) -> dict[str, Any]:
    """A value for each parameter that has no default; what it is does not matter: the duty is asked first."""
    values: dict[str, Any] = {}
    parameters = list(inspect.signature(service).parameters.values())
    for parameter in parameters:
        if parameter.name in ("actor", "reason") or parameter.default is not parameter.empty:
            continue
        if parameter.kind is parameter.KEYWORD_ONLY:
            said = str(parameter.annotation)
            values[parameter.name] = next((value for word, value in SAMPLES if word in said), None)
    return values


def _lacking(duty: str) -> Refusal:
    """Refused because of this duty and no other."""
    return lambda error: isinstance(error, NotAuthorised) and error.code == MISSING and duty in str(error)


def subject(service: Callable[..., Any], pk: Any) -> list[Any]:
    """What the service takes before its keywords: the record, or a list of records."""
    given: list[Any] = []
    for parameter in inspect.signature(service).parameters.values():
        positional = parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
        if not positional or parameter.default is not parameter.empty:
            continue
        said = str(parameter.annotation)
        many = any(word in said for word in ("Sequence", "Iterable", "list"))
        given.append(
            ([pk] if many else pk) if not given else next((v for w, v in SAMPLES if w in said), None)
        )
    return given


class Doors:
    """The people who hold no duty, and the ways in that they try."""

    def __init__(self, world: World) -> None:
        self.world = world
        plain, chief = world.user("", 4), world.user("", 4, superuser=True)
        auditor = world.user("auditor", 1)
        account = world.account_of(plain)
        self.principals: dict[str, User] = {
            "nobody's role": plain, "staff superuser": chief, "auditor": auditor, "service account": account,
        }  # fmt: skip
        self.browsers = {who: browser(self.principals[who]) for who in ("staff superuser", "auditor")}
        self.bearer = _bearer(world)

    def shown(self, page: Any) -> Any:
        """The newest record that has this page; None without one."""
        request = HttpRequest()
        request.user = self.principals["auditor"]
        newest = page.get_queryset(request).order_by("-pk").first()
        return newest.pk if newest is not None else None

    def services(self, title: str, duty: str, path: str, pk: Any, table: str = "") -> Iterator[Attempt]:
        service = resolve(path)
        for who, user in self.principals.items():
            yield Attempt(
                f"duty {duty}", title, "service", who, _calling(service, pk, Actor.of(user)),
                _lacking(duty), table=table, duty=duty,
            )  # fmt: skip

    def pages(self, title: str, duty: str, address: str, *, acts: bool = True) -> Iterator[Attempt]:
        for who, visitor in self.browsers.items():
            door = "console act" if acts else "console form"
            press = posting(visitor, address, dialog=acts)
            yield Attempt(f"duty {duty}", title, door, who, press, by_code(MISSING), duty=duty)

    def calls(self) -> Iterator[Attempt]:
        for route, view in routes("api/v1/"):
            if not is_call(view):
                continue
            address = "/" + re.sub(r"<[^>]+>", "1", route)
            for method in ("POST", "PUT", "PATCH", "DELETE"):
                duty = view.duties.get(method)
                if duty and hasattr(view, method.lower()):
                    yield Attempt(
                        f"duty {duty}", f"{method} /{route}", "API", "service account",
                        sending(self.bearer, method, address), by_code(MISSING), duty=duty,
                    )  # fmt: skip


def _bearer(world: World) -> Client:
    """A service account with a token for reading, as an auditor's tool would have."""
    account = world.account_of(world.user("", 5))
    with acting(Actor.installer(), reason=REASON):
        give(account, Role.objects.get(code="auditor"))
    issued = tokens.issue(
        account, name="self-test", scopes=["orders.read"], expires_at=clock.now() + dt.timedelta(hours=1),
        actor=world.person("admin"), reason=REASON,
    )  # fmt: skip
    return Client(
        raise_request_exception=False, SERVER_NAME=host(), HTTP_AUTHORIZATION=f"Bearer {issued.secret}"
    )


def _calling(service: Callable[..., Any], pk: Any, actor: Actor) -> Callable[[], object]:
    return lambda: service(*subject(service, pk), actor=actor, reason="self-test", **filled(service))


def _transitions(doors: Doors, made: Plan) -> None:
    for model in apps.get_models():
        field = state_field(model)
        if field is None or model._meta.proxy:
            continue
        for declared in transitions_of(model):
            if not declared.service_path:
                continue
            sources = ", ".join(f"'{source}'" for source in declared.sources)
            pk = pick(model, f"t.{field.column} IN ({sources})") or pick(model)
            title = f"{declared.label} ({model._meta.label})"
            if pk is None:
                made.untried.append(f"duty {declared.duty}: no {model._meta.label} to {declared.name}")
                continue
            made.attempts += doors.services(
                title, declared.duty, declared.service_path, pk, model._meta.db_table
            )


def _console(doors: Doors, made: Plan) -> None:
    services = set()
    for model, page in django_admin.site._registry.items():
        config = apps.get_app_config(model._meta.app_label)
        if not is_ours(config):
            continue
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        pk = doors.shown(page)
        for act in getattr(page, "all_acts", ()):
            if not act.duty:
                continue
            title = f"{act.label.rstrip('…')} ({model._meta.label})"
            if pk is None:
                made.untried.append(f"duty {act.duty}: no {model._meta.label} for its page")
                continue
            made.attempts += doors.pages(title, act.duty, reverse(f"{name}_act", args=(pk, act.name)))
            if act.service not in services and not act.transition:
                services.add(act.service)
                made.attempts += doors.services(title, act.duty, act.service, pk)
        for listed in getattr(page, "list_acts", ()):
            if listed.duty:
                title = f"{listed.label.rstrip('…')} ({model._meta.label})"
                made.attempts += doors.pages(
                    title, listed.duty, reverse(f"{name}_list_act", args=(listed.name,))
                )
        made.attempts += _forms(doors, model, name, pk)


def _forms(doors: Doors, model: Any, name: str, pk: Any) -> Iterator[Attempt]:
    """What the admin would let a superuser do with any other product: add, change and delete a row."""
    for verb, args in (("add", ()), ("change", (pk,)), ("delete", (pk,))):
        if args == (None,):
            continue
        try:
            address = reverse(f"{name}_{verb}", args=args)
        except NoReverseMatch:
            continue
        yield from doors.pages(
            f"{verb} {model._meta.label}", f"{model._meta.app_label} (form)", address, acts=False
        )


def plan(world: World) -> Plan:
    made = Plan()
    doors = Doors(world)
    _transitions(doors, made)
    _console(doors, made)
    made.attempts += doors.calls()
    return made
