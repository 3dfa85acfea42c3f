"""The acts that need approval, as the apps declare them in `<app>/policies.py`.

    ACTS = [Act(code="billing.credit.post", label="Post a credit memo", …)]
    POLICIES = {"billing.credit.post": {"title": …, "clause": …, "bands": …, "steps": …}}
    register(*ACTS)

The facts of an act are one SQL query over the row that it controls. The service asks it to route and to
bind a decision; a trigger asks it again at commit. So what was approved is compared with what is, whoever
wrote it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from django.apps import apps

from o2c.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Lineage:
    """Whose hand is in what is approved: the history of `model`'s rows.

    `rows` says which, in SQL on the history table `h` with the subject's id as $1. A history row counts
    when one of `columns` was set or changed in it.
    """

    model: str
    rows: str
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Act:
    """One act under approval.

    code        "<app>.<noun>.<act>", unique
    model       label of the subject, the record that the request is about
    service     dotted path of the service that does it: service(pk, *, actor, reason, **parameters)
    duty        who may ask for it
    does        the duty that the service asks for, when it is not that of whoever asks
    runs_as     "approver": the last one who decides does it; "maker": whoever asked, with the request behind
                them
    parameters  type of each parameter of the service that is no text: a function from its text
    facts       SQL that answers one jsonb for the controlled row with id $1: exact numbers and dates as text
    table       the table whose rows the trigger controls; `reached` or `changes` says when
    reached     SQL condition on {row}: the controlled state
    changes     columns that never change without approval; `reached` narrows which rows
    born        SQL condition on {row}: new rows that need it as well; "" when a new row may say anything
    proposes    the row, or its new values, exist only after the act: facts are taken in the rehearsal
    amount      path of the fact that says what is at stake, in functional currency; currency beside it
    labels      what a person reads for a path
    secret      parameters that are stored sealed (o2c.vault); the service takes them so
    form        dotted path of the form of the parameters; "" when there are none
    administrative  asked for by whoever administers access, who holds no duty of approvals (S48)
    """

    code: str
    label: str
    model: str
    service: str
    duty: str
    does: str
    facts: str
    table: str
    reached: str = "true"
    changes: tuple[str, ...] = ()
    born: str = ""
    runs_as: str = "approver"
    proposes: bool = False
    parameters: Mapping[str, Callable[[str], Any]] = field(default_factory=dict)
    lineage: tuple[Lineage, ...] = ()
    amount: str = "amount"
    currency: str = "functional_currency"
    labels: Mapping[str, str] = field(default_factory=dict)
    form: str = ""
    secret: tuple[str, ...] = ()
    administrative: bool = False

    @property
    def function(self) -> str:
        """Name of the database function that answers the facts."""
        return "o2c_facts_" + self.code.replace(".", "_")

    @property
    def apart_function(self) -> str:
        """Name of the database function that answers whom a segregation rule keeps from deciding."""
        return "o2c_apart_" + self.code.replace(".", "_")

    @property
    def authors_function(self) -> str:
        """Name of the database function that answers whose hand is in the subject."""
        return "o2c_authors_" + self.code.replace(".", "_")


def in_functional(amount: str, currency: str, functional: str, day: str) -> str:
    """SQL of an amount in functional currency at the rate of a day, as text with two digits.

    NULL without a rate: then the policy cannot be evaluated and nothing passes. Only thresholds use it.
    """
    return (
        f"round({amount} * CASE WHEN {currency} = {functional} THEN 1 ELSE (SELECT x.rate"
        f" FROM ledger_exchangerate x WHERE x.from_currency = {currency} AND x.to_currency = {functional}"
        f" AND x.valid_on <= {day} ORDER BY x.valid_on DESC LIMIT 1) END, 2)::text"
    )


_acts: dict[str, Act] = {}
_policies: dict[str, Mapping[str, Any]] = {}


def register(acts: list[Act], policies: Mapping[str, Mapping[str, Any]]) -> None:
    """Add an app's acts and the policies that ship for them. Each act has exactly one."""
    for act in acts:
        if act.code in _acts:
            raise InvalidInput(f"Act '{act.code}' is declared twice")
        if act.code not in policies:
            raise InvalidInput(f"Act '{act.code}' ships without a policy: nothing could be approved")
        _acts[act.code] = act
    _policies.update(policies)


@cache
def autodiscover() -> None:
    """Read `policies.py` of every installed app of ours, once; whoever asks first is early enough."""
    from o2c.access.registry import is_ours

    for config in apps.get_app_configs():
        name = f"{config.name}.policies"
        if is_ours(config) and find_spec(name) is not None:
            module = import_module(name)
            register(module.ACTS, module.POLICIES)


def act(code: str) -> Act:
    """The declared act. Raises InvalidInput for one that nobody declared."""
    autodiscover()
    if code not in _acts:
        raise InvalidInput(f"'{code}' is no act under approval", remedy=f"One of {', '.join(sorted(_acts))}")
    return _acts[code]


def acts() -> list[Act]:
    autodiscover()
    return [_acts[code] for code in sorted(_acts)]


def shipped_policies() -> Mapping[str, Mapping[str, Any]]:
    autodiscover()
    return _policies
