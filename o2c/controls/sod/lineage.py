"""Who wrote what a record is made of: the record, its lines and its declared inputs.

Read from the history tables and from the facts, so by whatever door it was written. Principals are the actor,
the person on whose behalf, and the owner of a service account; the product's own accounts and the installer
are nobody.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import TypeVar

from django.db import connection, models

from o2c.audit.triggers import q
from o2c.controls.sod import paths
from o2c.controls.sod.declare import declared

Subject = TypeVar("Subject", models.Model, str)
Authors = dict[int, set[int]]


def key_of(subject: models.Model | str) -> tuple[str, int]:
    """(label, pk) of a record, given as an instance or as 'orders.order:12'."""
    if isinstance(subject, str):
        label, _, pk = subject.partition(":")
        return label.lower(), int(pk)
    model = subject._meta.concrete_model or type(subject)
    return model._meta.label_lower, int(subject.pk)


def authors(subjects: Iterable[Subject]) -> dict[Subject, frozenset[int]]:
    """The ids of everybody who wrote a row that each subject is made of.

    Two queries for each declared path of each kind of record, whatever the number of subjects.
    """
    asked = list(subjects)
    wanted: dict[str, set[int]] = defaultdict(set)
    for subject in asked:
        label, pk = key_of(subject)
        wanted[label].add(pk)
    found = {label: _authors(label, pks) for label, pks in wanted.items()}
    people = principals(who for by in found.values() for whos in by.values() for who in whos)
    result: dict[Subject, frozenset[int]] = {}
    for subject in asked:
        label, pk = key_of(subject)
        writers = found[label].get(pk, set())
        result[subject] = frozenset().union(*(people.get(who, frozenset()) for who in writers))
    return result


def principals(user_ids: Iterable[int]) -> Mapping[int, frozenset[int]]:
    """Who stands behind each user: themselves, and for a machine the human who owns it.

    The product's own accounts take no token: nobody stands behind them but the person on whose behalf they
    act, who is recorded beside them.
    """
    from o2c.access.models import User
    from o2c.access.services.accounts import INTERNAL_ACCOUNTS

    rows = User.objects.filter(pk__in=set(user_ids)).values_list("pk", "username", "owner_id", "kind")
    return {
        pk: frozenset()
        if kind == User.Kind.SERVICE and username in INTERNAL_ACCOUNTS
        else frozenset(who for who in (pk, owner) if who)
        for pk, username, owner, kind in rows
    }


def _authors(label: str, pks: set[int]) -> Authors:
    by: Authors = defaultdict(set)
    with connection.cursor() as cursor:
        for path in ("", *declared().lineage.get(label, ())):
            cursor.execute(_query(label, path), {"pks": sorted(pks)})
            for subject, actor, behalf in cursor.fetchall():
                by[subject].update(who for who in (actor, behalf) if who)
    return by


def _query(label: str, path: str) -> str:
    """(subject, actor, on behalf of) of every row at the end of the path; the names are the models' own."""
    w = paths.written(paths.target(label, path))
    behalf = f"h.{w.behalf}" if w.is_history else w.behalf
    return (
        f"SELECT DISTINCT l.subject, h.{w.actor}, {behalf} FROM ({paths.pairs(label, path)}) l"
        f" JOIN {q(w.table)} h ON h.{q(w.key)} = l.source WHERE l.subject = ANY(%(pks)s)"
    )
