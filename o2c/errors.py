"""The errors a person or a machine may meet: what was wrong, with which record, what to do."""

from __future__ import annotations


class DomainError(Exception):
    """A refusal that the caller can act on.

    `message` says what was wrong, `record` names the record, `remedy` says what to do next.
    `code` is stable and machine readable; `status` is the HTTP status an API edge answers with.
    """

    status = 409
    default_code = "refused"

    def __init__(self, message: str, *, record: str = "", remedy: str = "", code: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.record = record
        self.remedy = remedy
        self.code = code or self.default_code

    def __str__(self) -> str:
        parts = [f"{self.record}: {self.message}" if self.record else self.message]
        if self.remedy:
            parts.append(self.remedy)
        return " ".join(part if part.endswith((".", "!", "?")) else f"{part}." for part in parts)


class InvalidInput(DomainError):
    """The input cannot be right, whoever sends it. `fields` maps a field path to its problems."""

    status = 422
    default_code = "invalid"

    def __init__(
        self,
        message: str,
        *,
        record: str = "",
        remedy: str = "",
        code: str = "",
        fields: dict[str, list[str]] | None = None,
    ) -> None:
        super().__init__(message, record=record, remedy=remedy, code=code)
        self.fields = fields or {}


class Malformed(DomainError):
    """What came cannot be read at all."""

    status = 400
    default_code = "malformed"


class NotAuthorised(DomainError):
    """The actor does not hold the duty, or may not act on this record."""

    status = 403
    default_code = "not_authorised"


class NotFound(DomainError):
    status = 404
    default_code = "not_found"


class Conflict(DomainError):
    """The record is not in a state in which this can be done, or somebody else was first."""

    status = 409
    default_code = "conflict"


class ClosedPeriod(Conflict):
    """The accounting period is closed; post in the open one or reopen it through the close."""

    default_code = "closed_period"


class NoActor(DomainError):
    """Somebody tried to write without saying who they are. No actor, no write."""

    status = 500
    default_code = "no_actor"
