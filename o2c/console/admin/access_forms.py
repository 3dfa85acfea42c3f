"""Dialogs about people, accounts, roles and tokens, and the way from their fields to the services."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django import forms

from o2c import clock
from o2c.access import duties_of, registry
from o2c.access.models import Role, RoleGrant, User
from o2c.access.services import accounts, grants, tokens
from o2c.actor import Actor
from o2c.controls.approvals.models import Request

HUMANS = User.objects.filter(kind=User.Kind.HUMAN, is_active=True).order_by("username")


class PersonForm(forms.Form):
    username = forms.SlugField(
        max_length=150, help_text="Letters, digits, hyphens. It can't be changed later."
    )
    display_name = forms.CharField(max_length=150)
    email = forms.EmailField()


class PasswordForm(forms.Form):
    password = forms.CharField(widget=forms.PasswordInput, help_text="At least twelve characters.")


class AccountForm(forms.Form):
    username = forms.SlugField(max_length=150)
    purpose = forms.CharField(
        max_length=200, help_text="What it is for, for example 'Salesforce production'."
    )
    owner = forms.ModelChoiceField(HUMANS, help_text="The human who answers for what the account does.")


class OwnerForm(forms.Form):
    owner = forms.ModelChoiceField(HUMANS)


class GrantForm(forms.Form):
    role = forms.ModelChoiceField(Role.objects.all())
    last_day = forms.DateField(
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text="In UTC, the whole day. Empty: until it is revoked.",
    )


def token_form(account: Any) -> type[forms.Form]:
    """Scopes to choose from are the duties that the account holds."""
    choices = [(code, f"{code}: {registry.describe(code)}") for code in sorted(duties_of(account))]

    class TokenForm(forms.Form):
        name = forms.CharField(max_length=100, help_text="Where the token is used.")
        scopes = forms.MultipleChoiceField(
            choices=choices, widget=forms.CheckboxSelectMultiple, help_text="What the token may do."
        )
        days = forms.IntegerField(min_value=1, max_value=366, initial=90, label="Ends after (days)")

    return TokenForm


def new_person(*, username: str, email: str, display_name: str, actor: Actor, reason: str = "") -> User:
    return accounts.create_person(
        username, email=email, display_name=display_name, password=None, actor=actor, reason=reason
    )


def _end(last_day: dt.date | None) -> dt.datetime | None:
    """The last day counts whole, so the grant ends with the next."""
    if last_day is None:
        return None
    return dt.datetime.combine(last_day + dt.timedelta(days=1), dt.time(), tzinfo=dt.UTC)


def grant_role(pk: Any, *, role: Role, last_day: dt.date | None, actor: Actor, reason: str = "") -> RoleGrant:
    return grants.grant(
        User.objects.get(pk=pk), role.code, actor=actor, reason=reason, valid_to=_end(last_day)
    )


def ask_role(pk: Any, *, role: Role, last_day: dt.date | None, actor: Actor, reason: str = "") -> Request:
    return grants.ask(pk, role=role.code, actor=actor, reason=reason, valid_to=_end(last_day))


def issue_token(
    pk: Any, *, name: str, scopes: list[str], days: int, actor: Actor, reason: str = ""
) -> tokens.Issued:
    expires_at = clock.now() + dt.timedelta(days=days)
    account = User.objects.get(pk=pk)
    return tokens.issue(account, name=name, scopes=scopes, expires_at=expires_at, actor=actor, reason=reason)
