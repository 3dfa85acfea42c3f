"""Tokens of service accounts: issued with an end and with scopes, shown once, revoked at once."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass

from o2c import clock, locks
from o2c.access import registry
from o2c.access.authorise import duties_of_id, require
from o2c.access.models import AuthToken, TokenUse, User
from o2c.access.services.accounts import INTERNAL_ACCOUNTS
from o2c.actor import Actor, acting
from o2c.errors import Conflict, InvalidInput, NotAuthorised

LONGEST = dt.timedelta(days=366)
USE_RESOLUTION = dt.timedelta(minutes=1)


@dataclass(frozen=True)
class Issued:
    """A new token; `secret` is the only copy there will ever be."""

    token: AuthToken
    secret: str


def digest(secret: str) -> str:
    """SHA-256, hexadecimal. The secret has 256 random bits: nothing is gained by a slow hash."""
    return hashlib.sha256(secret.encode()).hexdigest()


def issue(
    account: User,
    *,
    name: str,
    scopes: Iterable[str],
    expires_at: dt.datetime,
    actor: Actor,
    reason: str = "",
) -> Issued:
    """A token for a service account.

    `scopes` are duties, a subset of what the account holds now; a scope whose duty the account loses later is
    worth nothing. `expires_at` is at most a year away.
    """
    record = f"token '{name}' of {account.username}"
    require(actor, "access.token.issue", record=record)
    wanted = _check_scopes(account, scopes, record)
    now = clock.now()
    if not now < expires_at <= now + LONGEST:
        raise InvalidInput("A token ends within a year, and not in the past", record=record)
    if actor.user_id == account.pk:
        raise NotAuthorised("An account issues no token to itself", record=record)
    prefix = secrets.token_hex(4)
    secret = f"o2c_{prefix}_{secrets.token_urlsafe(32)}"
    with acting(actor, reason=reason):
        token = AuthToken.objects.create(
            account=account,
            name=name,
            prefix=prefix,
            digest=digest(secret),
            scopes=wanted,
            created_by_id=actor.user_id,
            expires_at=expires_at,
        )
    return Issued(token, secret)


def revoke(token_id: int, *, actor: Actor, reason: str = "") -> AuthToken:
    """The token stops working with the next request."""
    require(actor, "access.token.issue", record=f"token {token_id}")
    with acting(actor, reason=reason):
        token: AuthToken = locks.row(AuthToken, token_id)
        if token.revoked_at is not None:
            raise Conflict("Is revoked already", record=str(token))
        token.revoked_at = clock.now()
        token.revoked_by_id = actor.user_id
        token.save(update_fields=["revoked_at", "revoked_by"])
    return token


def find(secret: str) -> AuthToken | None:
    """The token with this secret, if it is in force and its account is active. One query."""
    parts = secret.split("_", 2)
    if len(parts) != 3 or parts[0] != "o2c":
        return None
    token = AuthToken.objects.select_related("account", "use").filter(prefix=parts[1]).first()
    if token is None or not hmac.compare_digest(token.digest, digest(secret)):
        return None
    in_force = token.revoked_at is None and clock.now() < token.expires_at
    return token if in_force and token.account.is_active else None


def note_use(token: AuthToken, address: str | None) -> None:
    """Remember when the token was last used, to the minute: a busy caller writes once a minute, not once
    a call.
    """
    now = clock.now()
    last: TokenUse | None = getattr(token, "use", None)
    if last is not None and now - last.last_used_at < USE_RESOLUTION and last.last_address == address:
        return
    TokenUse.objects.bulk_create(
        [TokenUse(token=token, last_used_at=now, last_address=address)],
        update_conflicts=True,
        unique_fields=["token"],
        update_fields=["last_used_at", "last_address"],
    )


def _check_scopes(account: User, scopes: Iterable[str], record: str) -> list[str]:
    if not account.is_service:
        raise InvalidInput("Only a service account has tokens", record=record)
    if account.username in INTERNAL_ACCOUNTS:
        raise InvalidInput(
            f"{account.username} acts inside the product only and takes no tokens",
            record=record,
            remedy="Make a service account for the caller, with the role that it needs.",
        )
    wanted = sorted(set(scopes))
    if not wanted:
        raise InvalidInput("A token without scopes can do nothing", record=record)
    unknown = [code for code in wanted if code not in registry.known()]
    if unknown:
        raise InvalidInput(f"No such duty: {', '.join(unknown)}", record=record)
    missing = [code for code in wanted if code not in duties_of_id(account.pk)]
    if missing:
        raise InvalidInput(
            f"The account does not hold {', '.join(missing)}",
            record=record,
            remedy="Grant it a role with these duties first, or leave them out.",
        )
    return wanted
