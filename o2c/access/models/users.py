"""People and service accounts. One table, because history, grants and journals name either."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX, check_password, make_password
from django.contrib.auth.models import AbstractUser, UserManager
from django.db import models
from django.db.models import Q

from o2c import clock
from o2c.records import History

if TYPE_CHECKING:
    from django.db.models import Model


class User(AbstractUser):
    """A principal: a human who signs in, or a service account that holds tokens and answers to a human.

    Permission comes from `RoleGrant` alone. Django's own groups and per-user permissions are removed so
    that there is no second place where a right could be given, and `is_superuser` grants no duty.
    """

    class Kind(models.TextChoices):
        HUMAN = "human", "Human"
        SERVICE = "service", "Service account"

    groups = None  # type: ignore[assignment]
    user_permissions = None  # type: ignore[assignment]
    # A sign-in is not a change of the person: it is a row in SignIn. Without this column Django's own
    # receiver, which would write the user without an actor, is not connected.
    last_login = None  # type: ignore[assignment]

    kind = models.CharField(max_length=10, choices=Kind.choices, default=Kind.HUMAN)
    display_name = models.CharField(max_length=150, blank=True)
    owner = models.ForeignKey(
        "self",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="owned_accounts",
        limit_choices_to={"kind": Kind.HUMAN},
        help_text="The human who answers for this service account.",
    )
    purpose = models.CharField(max_length=200, blank=True, help_text="What a service account is for.")

    # The hash is kept out of history; when it changed, and who changed it, is in it.
    password_changed_at = models.DateTimeField(null=True, blank=True, editable=False)

    history = History(excluded_fields=["password"])

    REQUIRED_FIELDS: ClassVar[list[str]] = ["email"]

    class Guards:
        no_delete = True
        immutable = ("kind",)

    class Meta:
        ordering = ["username"]
        constraints = [
            models.CheckConstraint(
                name="access_user_service_has_owner",
                condition=Q(kind="human", owner__isnull=True) | Q(kind="service", owner__isnull=False),
                violation_error_message="A service account needs an owner; a human has none.",
            ),
            models.CheckConstraint(
                name="access_user_service_no_login",
                # Django's unusable passwords begin with '!': a service account can't get a password by
                # any door.
                condition=Q(kind="human")
                | Q(
                    kind="service",
                    password__startswith=UNUSABLE_PASSWORD_PREFIX,
                    is_staff=False,
                    is_superuser=False,
                ),
                violation_error_message="A service account has no password and no access to the admin.",
            ),
        ]

    def __str__(self) -> str:
        return self.display_name or self.get_full_name() or self.username

    @property
    def is_service(self) -> bool:
        return self.kind == self.Kind.SERVICE

    def set_password(self, raw_password: str | None) -> None:
        self.password = make_password(raw_password)
        self._password = raw_password
        self.password_changed_at = clock.now()

    def check_password(self, raw_password: str | None) -> bool:
        """As Django's, but never rewrites the hash on sign-in.

        Django upgrades an old hash by saving the user: a write that nobody asked for. An old hash is
        renewed when the person changes the password.
        """
        return check_password(raw_password, self.password)

    def has_perm(self, perm: str, obj: Model | None = None) -> bool:
        """Ask the duty backend, also for superusers: being one gives no right of its own."""
        from o2c.access.backends import has_model_permission

        return self.is_active and has_model_permission(self, perm)

    def has_perms(self, perm_list: Any, obj: Model | None = None) -> bool:
        return all(self.has_perm(perm, obj) for perm in perm_list)

    def has_module_perms(self, app_label: str) -> bool:
        from o2c.access.backends import has_module_permission

        return self.is_active and has_module_permission(self, app_label)


class ServiceAccountManager(UserManager["ServiceAccount"]):
    def get_queryset(self) -> models.QuerySet[ServiceAccount]:
        return super().get_queryset().filter(kind=User.Kind.SERVICE)


class ServiceAccount(User):
    """The service accounts among the users."""

    objects: ClassVar[ServiceAccountManager] = ServiceAccountManager()  # type: ignore[assignment]

    class Meta:
        proxy = True
        verbose_name = "service account"
