"""People and service accounts: what they may do, through which grants, and when they came in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseRedirect

from o2c import clock
from o2c.access import registry
from o2c.access.authorise import in_force
from o2c.access.models import ReadEvent, RoleDuty, RoleGrant, ServiceAccount, SignIn, User
from o2c.console import Act, Column, Fact, ListAct, Panel, RecordAdmin
from o2c.console import format as fmt
from o2c.console.admin.access_forms import (
    AccountForm,
    GrantForm,
    OwnerForm,
    PasswordForm,
    PersonForm,
    token_form,
)
from o2c.controls.approvals.admin.asking import would_ask

AREA = "People and access"
MAINTAIN = "access.user.maintain"
FORMS = "o2c.console.admin.access_forms"
SERVICES = "o2c.access.services.accounts"


def _not_oneself(user: Any, who: Any) -> list[str]:
    return ["Nobody grants a role to themselves."] if who.pk in (user.pk, user.owner_id) else []


def _only_active(user: Any, _who: Any) -> list[str]:
    return [] if user.is_active else ["It is disabled."]


def _only_disabled(user: Any, _who: Any) -> list[str]:
    return ["It is active."] if user.is_active else []


GRANT = Act(
    "grant",
    "Grant a role",
    f"{FORMS}.grant_role",
    duty="access.role.grant",
    form=GrantForm,
    reason="required",
    unavailable=_not_oneself,
    icon="add_moderator",
    follow=False,
)
ASK_GRANT = Act(
    "ask_grant",
    "Ask for a role",
    f"{FORMS}.ask_role",
    duty="access.role.grant",
    form=GrantForm,
    reason="required",
    unavailable=_not_oneself,
    primary=False,
    icon="approval",
    description="For roles that govern the controls: a controller agrees first.",
    foresee=would_ask,
)
DISABLE = Act(
    "disable",
    "Disable",
    f"{SERVICES}.disable",
    duty=MAINTAIN,
    reason="required",
    danger=True,
    unavailable=_only_active,
    icon="block",
    description="Sessions and tokens stop with the next request; what they did keeps their name.",
)
ENABLE = Act(
    "enable",
    "Enable",
    f"{SERVICES}.enable",
    duty=MAINTAIN,
    reason="required",
    unavailable=_only_disabled,
    icon="check_circle",
)


def _grant_panel(user: User) -> Panel:
    return Panel(
        "Roles",
        user.grants.select_related("role", "granted_by").order_by("-valid_from"),
        ["role", "valid_from", "valid_to", "granted_by", "reason"],
        empty="No role: this account can do nothing. Use 'Grant a role'.",
    )


def _duty_panel(user: User) -> Panel:
    """What the user may do now, and by which role."""
    held = (
        RoleDuty.objects.filter(in_force("role__grants__"), role__grants__user=user)
        .select_related("role")
        .order_by("duty")
    )
    columns = ["duty", Column(lambda row: registry.describe(row.duty), "What it allows"), "role"]
    return Panel("May now", held, columns, link_rows=False, limit=200, empty="Nothing.")


@admin.register(User)
class UserAdmin(RecordAdmin):
    """Everybody who signs in."""

    area, icon, nav_position, nav_title = AREA, "person", 10, "People"
    list_display = ["username", "display_name", "email", "roles_now", "is_active"]
    list_filter = ["is_active", "grants__role"]
    search_fields = ["username", "display_name", "email"]
    find_fields = ["username", "*display_name", "email"]
    fieldsets = [
        ("Person", {"fields": ["username", "display_name", "email", "is_active"]}),
        ("Sign-in", {"fields": ["date_joined", "password_changed_at"]}),
    ]
    exclude: Sequence[str] = (
        "is_superuser",
        "is_staff",
        "first_name",
        "last_name",
        "owner",
        "purpose",
        "kind",
        "id",
    )
    acts = [
        GRANT,
        ASK_GRANT,
        Act(
            "password",
            "Set password",
            f"{SERVICES}.set_password",
            duty=MAINTAIN,
            form=PasswordForm,
            reason="required",
            icon="password",
            description="Tell it to the person by another way; they change it after signing in.",
        ),
        Act(
            "unlock",
            "Lift lock-out",
            f"{SERVICES}.unlock",
            duty="access.signin.unlock",
            reason="required",
            icon="lock_open",
            description="After failed sign-ins a name is locked for a while. Make sure who it is.",
        ),
        DISABLE,
        ENABLE,
    ]
    list_acts = [
        ListAct(
            "new",
            "New person",
            f"{FORMS}.new_person",
            duty=MAINTAIN,
            form=PersonForm,
            description="Then set a password, unless single sign-on knows them, and grant a role.",
        )
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        people = super().get_queryset(request).filter(kind=User.Kind.HUMAN)
        return people.prefetch_related("grants__role")

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, *args: Any, **kwargs: Any
    ) -> Any:
        """Records name their actor as a user; where that is a machine, its own page opens."""
        if object_id and object_id.isdigit() and self.model is User:
            machine = ServiceAccount.objects.filter(pk=object_id).first()
            if machine is not None:
                return HttpResponseRedirect(fmt.admin_url(machine))
        return super().changeform_view(request, object_id, *args, **kwargs)

    @admin.display(description="Roles")
    def roles_now(self, user: User) -> str:
        now = clock.now()
        held = [
            g for g in user.grants.all() if g.valid_from <= now and (g.valid_to is None or g.valid_to > now)
        ]
        return ", ".join(sorted(g.role.name for g in held)) or "none"

    def facts(self, user: User) -> list[Fact]:
        return [Fact("Sign-in name", user.username), Fact("Active", user.is_active)]

    def panels(self, user: User) -> list[Panel]:
        owned = ServiceAccount.objects.filter(owner=user).order_by("username")
        return [
            _grant_panel(user),
            _duty_panel(user),
            Panel("Answers for", owned, ["username", "purpose", "is_active"], empty="No service account."),
            Panel(
                "Came in",
                user.sign_ins.order_by("-at"),
                ["at", "outcome", "address"],
                limit=10,
                empty="Never signed in.",
            ),
        ]

    def timeline_related(self, user: User) -> list[tuple[str, QuerySet[Any]]]:
        return [("Grant", RoleGrant.history.filter(user_id=user.pk))]


@admin.register(ServiceAccount)
class ServiceAccountAdmin(UserAdmin):
    """Machines, each with the human who answers for it."""

    icon, nav_position, nav_title = "smart_toy", 20, ""
    list_display = ["username", "purpose", "owner", "roles_now", "is_active"]
    list_select_related = ["owner"]
    list_filter = ["is_active"]
    search_fields = ["username", "purpose"]
    find_fields = ["username", "*purpose"]
    fieldsets = [("Account", {"fields": ["username", "purpose", "owner", "is_active", "date_joined"]})]
    exclude = ("is_superuser", "is_staff", "first_name", "last_name", "email", "kind", "id",
               "display_name", "password_changed_at")  # fmt: skip
    acts = [
        Act(
            "issue",
            "Issue a token",
            f"{FORMS}.issue_token",
            duty="access.token.issue",
            form=token_form,
            icon="key",
            unavailable=_only_active,
            shown=lambda issued: [("Token (copy it now)", issued.secret)],
        ),
        GRANT,
        Act(
            "own",
            "Change owner",
            f"{SERVICES}.change_owner",
            duty=MAINTAIN,
            form=OwnerForm,
            reason="required",
            icon="swap_horiz",
        ),
        DISABLE,
        ENABLE,
    ]
    list_acts = [
        ListAct(
            "new",
            "New service account",
            f"{SERVICES}.create_service_account",
            duty=MAINTAIN,
            form=AccountForm,
            description="Then grant a role, and issue a token.",
        )
    ]
    empty_text = "Machines that call the API get an account here."

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return ServiceAccount.objects.prefetch_related("grants__role").order_by("username")

    def facts(self, account: User) -> list[Fact]:
        return [Fact("Owner", account.owner), Fact("For", account.purpose), Fact("Active", account.is_active)]

    def panels(self, account: User) -> list[Panel]:
        issued = account.tokens.select_related("created_by").order_by("-created_at")
        columns = ["prefix", "name", "expires_at", "revoked_at", "created_by"]
        return [
            Panel("Tokens", issued, columns, empty="No token: nothing can call in this account's name."),
            _grant_panel(account),
            _duty_panel(account),
        ]


@admin.register(ReadEvent)
class ReadEventAdmin(RecordAdmin):
    """Who read bank data in clear, and who took whole lists away."""

    area, icon, nav_position, nav_title = AREA, "visibility", 65, "Readings"
    list_display = ["at", "reader", "kind", "what", "rows", "why"]
    list_filter = ["kind", "at"]
    search_fields = ["reader", "what"]
    empty_text = "Nobody has read bank data in clear or taken a list away."


@admin.register(SignIn)
class SignInAdmin(RecordAdmin):
    """Who came in and who was turned away."""

    area, icon, nav_position, nav_title = AREA, "login", 60, "Sign-ins"
    list_display = ["at", "username", "outcome", "address", "user"]
    list_select_related = ["user"]
    list_filter = ["outcome"]
    search_fields = ["username", "address"]
    empty_text = "Nobody has signed in yet."
