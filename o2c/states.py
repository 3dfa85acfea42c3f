"""State machines: declared transitions, each a duty, each done by one service.

Built on django-fsm-2. A transition's method only changes the object in memory; the service that the
transition names locks, checks, saves, records and publishes. The database refuses any change of
state that is not declared here (`o2c.audit.triggers`).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import django_fsm
from django.db import models
from django.utils.module_loading import import_string

from o2c.errors import Conflict

if TYPE_CHECKING:
    from o2c.access.models import User


@dataclass(frozen=True)
class Condition:
    """A test on the object, and what to tell a person when it fails."""

    test: Callable[[Any], bool]
    otherwise: str

    def __call__(self, instance: models.Model) -> bool:
        return bool(self.test(instance))


class StateField(django_fsm.FSMField):
    """A state that only a declared transition changes."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", 20)
        kwargs.setdefault("protected", True)
        super().__init__(*args, **kwargs)

    def contribute_to_class(self, cls: type[models.Model], name: str, private_only: bool = False) -> None:
        """A model of a migration has no transitions; the library would listen for each of the thousands."""
        if cls.__module__ == "__fake__":
            models.CharField.contribute_to_class(self, cls, name, private_only)
        else:
            super().contribute_to_class(cls, name, private_only)


class StateMachine(django_fsm.ConcurrentTransitionMixin, models.Model):
    """A model with a state. A stale copy cannot be saved over a newer state."""

    class Meta:
        abstract = True

    def _get_protected_fsm_fields(self) -> set[str]:
        """None: the library would lift the protection of the whole class while one row refreshes."""
        return set()

    def refresh_from_db(
        self, using: str | None = None, fields: Any = None, from_queryset: models.QuerySet[Any] | None = None
    ) -> None:
        """Reload; the protected fields are taken out so that they may be set once more."""
        names = {
            field.attname
            for field in self._meta.concrete_fields
            if isinstance(field, StateField) and (fields is None or field.name in fields)
        }
        kept = {name: self.__dict__.pop(name) for name in names if name in self.__dict__}
        try:
            super().refresh_from_db(using=using, fields=fields, from_queryset=from_queryset)
        except BaseException:
            self.__dict__.update(kept)
            raise


@dataclass(frozen=True)
class Declared:
    """One declared transition of a model."""

    name: str
    label: str
    sources: tuple[str, ...]
    target: str
    duty: str
    service_path: str
    conditions: tuple[Condition, ...]
    description: str

    @property
    def service(self) -> Callable[..., Any]:
        return import_string(self.service_path)  # type: ignore[no-any-return]


def transition(
    field: Any,
    *,
    source: str | Sequence[str],
    target: str,
    duty: str,
    service: str = "",
    label: str = "",
    conditions: Iterable[Condition] = (),
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Declare a transition of `field`.

    `duty` is the duty that may do it; `service` the dotted path of the one function that does it,
    called as `service(pk, actor=..., reason=...)` (empty: no button, done only inside another act).
    Calling the method from another state, or with a condition unmet, raises Conflict.
    """
    sources = [source] if isinstance(source, str) else list(source)

    def decorate(method: Callable[..., None]) -> Callable[..., None]:
        changing = django_fsm.transition(
            field=field,
            source=[str(s) for s in sources],
            target=str(target),
            conditions=list(conditions),
            custom={
                "duty": duty,
                "service": service,
                "label": label or method.__name__.replace("_", " ").capitalize(),
                "description": (method.__doc__ or "").strip(),
            },
        )(method)

        @functools.wraps(changing)
        def refuse_readably(instance: Any, *args: Any, **kwargs: Any) -> Any:
            try:
                return changing(instance, *args, **kwargs)
            except django_fsm.TransitionNotAllowed as error:
                reasons = _state_reasons(instance, _declared(type(instance), method.__name__))
                raise Conflict("; ".join(reasons), record=str(instance)) from error

        return refuse_readably

    return decorate


def state_field(model: type[models.Model]) -> StateField | None:
    """The model's state field; a model has at most one."""
    fields = [field for field in model._meta.concrete_fields if isinstance(field, StateField)]
    return fields[0] if fields else None


def transitions_of(model: type[models.Model]) -> list[Declared]:
    """The declared transitions of `model`, by name."""
    field = state_field(model)
    if field is None:
        return []
    declared: dict[str, Declared] = {}
    for edge in field.get_all_transitions(model):
        known = declared.get(edge.name)
        sources = (*(known.sources if known else ()), str(edge.source))
        declared[edge.name] = Declared(
            name=edge.name,
            label=edge.custom["label"],
            sources=sources,
            target=str(edge.target),
            duty=edge.custom["duty"],
            service_path=edge.custom["service"],
            conditions=tuple(c for c in edge.conditions if isinstance(c, Condition)),
            description=edge.custom["description"],
        )
    return [declared[name] for name in sorted(declared)]


def initial_states(model: type[models.Model]) -> tuple[str, ...]:
    """States in which a row may be inserted: `initial_states` of the class, or the default."""
    field = state_field(model)
    assert field is not None, f"{model.__name__} has no state"
    states: Iterable[str] = getattr(model, "initial_states", (field.default,))
    return tuple(str(state) for state in states)


def _declared(model: type[models.Model], name: str) -> Declared:
    return next(declared for declared in transitions_of(model) if declared.name == name)


def _state_reasons(instance: models.Model, declared: Declared) -> list[str]:
    field = state_field(type(instance))
    assert field is not None
    state = str(field.get_state(instance))
    if state not in declared.sources:
        labels = dict(field.flatchoices)
        wanted = " or ".join(str(labels.get(s, s)).lower() for s in declared.sources)
        is_now = str(labels.get(state, state)).lower()
        return [f"“{declared.label}” needs the state {wanted}, and it is {is_now}"]
    return [c.otherwise for c in declared.conditions if not c(instance)]


def explain(instance: models.Model, name: str, user: User) -> list[str]:
    """Why `user` cannot do the transition `name` on `instance` now; empty when it can be done."""
    from o2c.access import has_duty  # the access app has models of its own, loaded after this

    declared = _declared(type(instance), name)
    reasons = _state_reasons(instance, declared)
    if not has_duty(user, declared.duty):
        reasons.append(f"you do not hold the duty {declared.duty}")
    return reasons
