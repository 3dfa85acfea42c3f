"""Roles with what they let a person do, who holds them, and the tokens of accounts."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest

from o2c import clock
from o2c.access import registry
from o2c.access.authorise import in_force
from o2c.access.models import AuthToken, Role, RoleDuty, RoleGrant
from o2c.console import Act, Column, Fact, Panel, RecordAdmin

AREA = "People and access"


def _has_ended(grant: Any, _who: Any) -> list[str]:
    return ["It has ended."] if grant.valid_to is not None and grant.valid_to <= clock.now() else []


def _is_revoked(token: Any, _who: Any) -> list[str]:
    return ["It is revoked already."] if token.revoked_at is not None else []


@admin.register(Role)
class RoleAdmin(RecordAdmin):
    """Named sets of duties."""

    area, icon, nav_position = AREA, "badge", 30
    list_display = ["name", "code", "description", "duty_count", "holder_count", "shipped"]
    list_filter = ["shipped"]
    search_fields = ["name", "code", "duties__duty"]
    find_fields = ["*name", "code"]
    fieldsets = [("Role", {"fields": ["code", "name", "description", "shipped"]})]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        held = Count("grants__user", filter=in_force("grants__"), distinct=True)
        roles = super().get_queryset(request)
        return roles.annotate(n_duties=Count("duties", distinct=True), n_holders=held)

    @admin.display(description="Duties", ordering="n_duties")
    def duty_count(self, role: Any) -> int:
        return int(role.n_duties)

    @admin.display(description="Held by", ordering="n_holders")
    def holder_count(self, role: Any) -> int:
        return int(role.n_holders)

    def facts(self, role: Any) -> list[Fact]:
        return [Fact("Duties", role.n_duties), Fact("Held by", role.n_holders), Fact("Shipped", role.shipped)]

    def panels(self, role: Role) -> list[Panel]:
        holders = role.grants.filter(in_force()).select_related("user", "granted_by")
        duties = ["duty", Column(lambda row: registry.describe(row.duty), "What it allows")]
        return [
            Panel("Duties", role.duties.order_by("duty"), duties, link_rows=False, limit=300),
            Panel(
                "Held now by",
                holders.order_by("user__username"),
                ["user", "valid_from", "valid_to", "granted_by"],
                empty="Nobody.",
            ),
        ]

    def timeline_related(self, role: Role) -> list[tuple[str, QuerySet[Any]]]:
        return [("Duty", RoleDuty.history.filter(role_id=role.pk))]


@admin.register(RoleGrant)
class RoleGrantAdmin(RecordAdmin):
    """Who holds which role, since when, by whom."""

    area, icon, nav_position, nav_title = AREA, "admin_panel_settings", 40, "Grants of roles"
    list_display = ["user", "role", "valid_from", "valid_to", "granted_by", "reason"]
    list_select_related = ["user", "role", "granted_by"]
    list_filter = ["role"]
    search_fields = ["user__username", "user__display_name", "role__name"]
    fieldsets = [
        ("Grant", {"fields": ["user", "role", "granted_by", "reason", "valid_from", "valid_to"]}),
    ]
    acts = [
        Act(
            "revoke",
            "Revoke",
            "o2c.access.services.grants.revoke",
            duty="access.role.grant",
            reason="required",
            danger=True,
            bulk=True,
            icon="remove_moderator",
            unavailable=_has_ended,
            description="The duties of the role end at once; the grant stays on record.",
        )
    ]

    def facts(self, grant: RoleGrant) -> list[Fact]:
        return [
            Fact("Person", grant.user),
            Fact("Role", grant.role),
            Fact("Granted by", grant.granted_by),
            Fact("Since", grant.valid_from),
        ]


@admin.register(AuthToken)
class AuthTokenAdmin(RecordAdmin):
    """Tokens of service accounts: their prefix, never their secret."""

    area, icon, nav_position, nav_title = AREA, "key", 50, "API tokens"
    list_display = ["prefix", "name", "account", "expires_at", "revoked_at", "last_used"]
    list_select_related = ["account", "use", "created_by"]
    search_fields = ["prefix", "name", "account__username"]
    find_fields = ["prefix"]
    fieldsets = [
        ("Token", {"fields": ["prefix", "account", "name", "created_by", "expires_at"]}),
        ("Revoked", {"fields": ["revoked_at", "revoked_by"]}),
    ]
    empty_text = "Open a service account and use 'Issue a token'."
    acts = [
        Act(
            "revoke",
            "Revoke",
            "o2c.access.services.tokens.revoke",
            duty="access.token.issue",
            reason="required",
            danger=True,
            bulk=True,
            icon="key_off",
            unavailable=_is_revoked,
            description="Calls with this token are refused from the next one on.",
        )
    ]

    @admin.display(description="Last used")
    def last_used(self, token: AuthToken) -> str:
        use = getattr(token, "use", None)
        return f"{use.last_used_at:%Y-%m-%d %H:%M}" if use is not None else "never"

    def facts(self, token: AuthToken) -> list[Fact]:
        return [
            Fact("Account", token.account),
            Fact("Issued by", token.created_by),
            Fact("Ends", token.expires_at),
            Fact("Last used", self.last_used(token)),
        ]

    def panels(self, token: AuthToken) -> list[Panel]:
        scopes = [{"duty": code, "what it allows": registry.describe(code)} for code in token.scopes]
        return [Panel("May use", scopes, ["duty", "what it allows"], empty="Nothing: it has no scope.")]
