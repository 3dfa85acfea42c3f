"""Values that are kept encrypted in their columns: sealed as they are written, opened where they are used.

A sealed value is text, `enc:<key id>:<base64>`: AES-SIV (RFC 5297), which authenticates, and gives the same
text for the same value under the same key. So an unchanged value stays unchanged for history, for approvals
that compare what was approved with what is, and for the database; equal values can be seen to be equal, and
nothing else about them.

    entity.bank_account            # 'enc:7f3a…:…' once it has been read from the database
    vault.opened(entity.bank_account)   # '4401928837': for a document, an e-mail; people ask by a reveal
    vault.masked(entity.bank_account)   # '•••• 8837'

Keys: setting FIELD_KEYS, 'id:base64,id:base64'. The first one seals; the others only open.
"""

from __future__ import annotations

import base64
import binascii
from functools import cache
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import models

PREFIX = "enc:"
PURPOSE = b"o2c field"
SHOWN = 4


def is_sealed(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(PREFIX)


def sealed(value: str) -> str:
    """The value as it is stored. What is sealed already, and nothing, stay as they are."""
    if not value or is_sealed(value):
        return value
    key_id = next(iter(_keys()))
    hidden = AESSIV(_keys()[key_id]).encrypt(value.encode(), [PURPOSE])
    return f"{PREFIX}{key_id}:{base64.urlsafe_b64encode(hidden).decode()}"


def opened(value: str) -> str:
    """The value in clear; what is not sealed is returned as it is.

    Raises ImproperlyConfigured when its key is not among FIELD_KEYS, or when it was tampered with.
    """
    if not is_sealed(value):
        return value
    key_id, _, hidden = value.removeprefix(PREFIX).partition(":")
    try:
        return AESSIV(_keys()[key_id]).decrypt(base64.urlsafe_b64decode(hidden), [PURPOSE]).decode()
    except (KeyError, InvalidTag, binascii.Error) as error:
        raise ImproperlyConfigured(f"A value sealed with key {key_id!r} cannot be opened") from error


def resealed(value: str) -> str:
    """The same value under the key that seals now."""
    return sealed(opened(value))


def masked(value: str) -> str:
    """The last characters, for people who have to recognise it and not to use it."""
    clear = opened(value)
    if not clear:
        return ""
    return f"•••• {clear[-SHOWN:]}" if len(clear) > 2 * SHOWN else "••••"


def shown(value: str) -> str:
    """`masked` for evidence: where the process has no key, as an auditor's, that it is sealed; never how."""
    try:
        return masked(value)
    except ImproperlyConfigured:
        return "•••• (sealed)"


class SealedField(models.TextField):  # type: ignore[type-arg]
    """Text that is stored sealed. A row that was read holds the sealed text: nothing shows it by accident."""

    def get_prep_value(self, value: Any) -> Any:
        value = super().get_prep_value(value)
        return sealed(value) if isinstance(value, str) else value


def fields() -> list[tuple[type[models.Model], SealedField]]:
    """Every sealed column of the product, those of history too."""
    from django.apps import apps

    return [
        (model, field)
        for model in apps.get_models()
        for field in model._meta.concrete_fields
        if isinstance(field, SealedField) and not model._meta.proxy
    ]


@cache
def names() -> frozenset[str]:
    """Of columns that are sealed: such a value is masked also where it stands in clear, as in a proposal."""
    return frozenset(field.name for _, field in fields())


@cache
def _parsed(said: str) -> dict[str, bytes]:
    keys: dict[str, bytes] = {}
    for part in filter(None, (part.strip() for part in said.split(","))):
        key_id, _, encoded = part.partition(":")
        key = base64.urlsafe_b64decode(encoded)
        if not key_id.isalnum() or len(key) not in (32, 48, 64):
            raise ImproperlyConfigured("FIELD_KEYS: each is id:base64 of 32, 48 or 64 bytes")
        keys[key_id] = key
    return keys


def _keys() -> dict[str, bytes]:
    keys = _parsed(settings.FIELD_KEYS)
    if not keys:
        raise ImproperlyConfigured("FIELD_KEYS is empty: bank data cannot be stored")
    return keys
