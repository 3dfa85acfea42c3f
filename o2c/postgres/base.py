"""The database wrapper: stock PostgreSQL, plus the actor's identity at the start of a transaction."""

from __future__ import annotations

from typing import Any

from django.db.backends.postgresql import base

from o2c.actor import current_trace, say


class DatabaseWrapper(base.DatabaseWrapper):
    connection: Any

    def _set_autocommit(self, autocommit: bool) -> None:
        super()._set_autocommit(autocommit)  # type: ignore[misc]
        trace = current_trace()
        if not autocommit and trace is not None:
            # On the raw connection: it is part of BEGIN, not a query of the application's.
            say(self.connection, trace)
