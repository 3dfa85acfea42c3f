"""Roles are sets of duties; a grant gives a role to a principal for a time."""

from __future__ import annotations

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateTimeRangeField, RangeOperators
from django.db import models
from django.db.models import F, Func, Q, Value

from o2c.access.models.users import User
from o2c.records import Record


class Role(Record):
    """A named set of duties, such as 'billing_ops'. Roles that ship with the product are kept equal to
    the code.
    """

    code = models.SlugField(max_length=50, unique=True)
    name = models.CharField(max_length=100)
    description = models.CharField(max_length=300, blank=True)
    shipped = models.BooleanField(
        default=False, help_text="Defined in code; `manage.py access sync` keeps it so."
    )

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class RoleDuty(Record):
    """One duty of a role. Duties themselves are declared in code, in each app's `duties.py`."""

    role = models.ForeignKey(Role, on_delete=models.CASCADE, related_name="duties")
    duty = models.CharField(max_length=100)

    class Meta:
        ordering = ["role", "duty"]
        verbose_name_plural = "role duties"
        constraints = [models.UniqueConstraint(fields=["role", "duty"], name="access_roleduty_once")]
        indexes = [models.Index(fields=["duty"], name="access_roleduty_duty")]

    def __str__(self) -> str:
        return f"{self.role}: {self.duty}"


def _as_range(column: str) -> Func:
    """A number as a one-point range, so that an exclusion constraint can compare it without an extension."""
    return Func(F(column), F(column), Value("[]"), function="int8range")


class RoleGrant(Record):
    """A role held by a principal in `[valid_from, valid_to)`, given by somebody else."""

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="grants")
    role = models.ForeignKey(Role, on_delete=models.PROTECT, related_name="grants")
    granted_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="grants_given")
    reason = models.CharField(max_length=300, blank=True)
    valid_from = models.DateTimeField()
    valid_to = models.DateTimeField(null=True, blank=True, help_text="Empty: until it is revoked.")

    class Guards:
        signatures = ["granted_by"]
        no_delete = True
        immutable = ("user", "role", "granted_by", "valid_from")

    class Meta:
        ordering = ["user", "role", "valid_from"]
        constraints = [
            models.CheckConstraint(
                name="access_rolegrant_not_to_self",
                condition=~Q(user=F("granted_by")),
                violation_error_message="Nobody grants a role to themselves: ask another administrator.",
            ),
            models.CheckConstraint(
                name="access_rolegrant_ends_after_start",
                # Equal is allowed: a grant revoked before it began is an empty interval.
                condition=Q(valid_to__isnull=True) | Q(valid_to__gte=F("valid_from")),
                violation_error_message="A grant ends after it begins.",
            ),
            ExclusionConstraint(
                name="access_rolegrant_no_overlap",
                expressions=[
                    (_as_range("user"), RangeOperators.OVERLAPS),
                    (_as_range("role"), RangeOperators.OVERLAPS),
                    (
                        Func(
                            F("valid_from"),
                            F("valid_to"),
                            Value("[)"),
                            function="tstzrange",
                            output_field=DateTimeRangeField(),
                        ),
                        RangeOperators.OVERLAPS,
                    ),
                ],
                violation_error_message="This person holds this role in that time already.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user}: {self.role}"
