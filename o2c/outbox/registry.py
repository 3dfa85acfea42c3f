"""Which consumer wants which events. Filled by the apps' handlers.py when Django starts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ImproperlyConfigured


@dataclass(frozen=True, slots=True)
class Event:
    """What a consumer gets: `aggregate` is 'app.model:id', `id` increases within an aggregate."""

    id: int
    type: str
    aggregate: str
    payload: dict[str, Any]


Handler = Callable[[Sequence[Event]], None]

handlers: dict[str, Handler] = {}
subscribers: dict[str, list[str]] = defaultdict(list)


def consumer(name: str, *types: str) -> Callable[[Handler], Handler]:
    """Register a handler for these event types.

    The handler gets a batch in order, inside a transaction in which the system account acts. It must
    be idempotent in effect; the delivery row makes sure that a batch that succeeded is not repeated.
    """

    def register(handler: Handler) -> Handler:
        if name in handlers:
            raise ImproperlyConfigured(f"Two consumers are called {name}")
        handlers[name] = handler
        for event_type in types:
            subscribers[event_type].append(name)
        return handler

    return register
