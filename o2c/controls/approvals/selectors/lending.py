"""What a delegation would let somebody break."""

from __future__ import annotations

from django.db import connection

from o2c.access.models import User
from o2c.controls.sod.borrowing import Broken


def broken_by_delegation(delegator_id: int, delegate_id: int) -> list[tuple[str, Broken]]:
    """(person, rule) for whoever of the two would hold both sides of a rule, with what is lent.

    The database asks the same when the delegation is accepted.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM o2c_delegation_broken(%s, %s)", [delegator_id, delegate_id])
        found = cursor.fetchall()
    names = {user.pk: str(user) for user in User.objects.filter(pk__in=[row[0] for row in found])}
    return [(names[person], Broken(*rule)) for person, *rule in found]
