"""The matrix as rows: the same data as in code, where the database's guards and the pages read it."""

from __future__ import annotations

from django.db import models

from o2c.records import Record


class SodRule(Record):
    """One rule between two sides; kept equal to the code after every migrate, history says since when."""

    class Severity(models.TextChoices):
        HIGH = "H", "High"
        MEDIUM = "M", "Medium"

    code = models.CharField(max_length=4, unique=True, help_text="S01 … S52")
    title = models.CharField(max_length=300)
    risk = models.TextField(help_text="What one person could do alone")
    severity = models.CharField(max_length=1, choices=Severity.choices)
    at_grant = models.BooleanField(default=False, help_text="Nobody may hold both sides")
    at_transaction = models.BooleanField(default=False, help_text="Nobody may do both on one lineage")
    window_days = models.PositiveSmallIntegerField(
        default=0, help_text="Days after the first side in which the second is refused; 0: no window"
    )
    mitigation = models.TextField(help_text="What reduces the risk where an exception lets it in")
    version = models.CharField(max_length=20)

    class Meta:
        ordering = ["code"]
        verbose_name = "segregation rule"

    class Guards:
        owned = True
        no_delete = True
        immutable = ("code",)

    def __str__(self) -> str:
        return f"{self.code} {self.title}"

    @property
    def kinds(self) -> str:
        """'grant, transaction, window of 7 days'."""
        named = ["grant"] * self.at_grant + ["transaction"] * self.at_transaction
        return ", ".join(named + ([f"window of {self.window_days} days"] if self.window_days else []))


class SodSide(Record):
    """One function on one side of a rule."""

    class Side(models.TextChoices):
        A = "a", "First"
        B = "b", "Second"

    rule = models.ForeignKey(SodRule, on_delete=models.PROTECT, related_name="sides")
    side = models.CharField(max_length=1, choices=Side.choices)
    function = models.CharField(max_length=30)
    name = models.CharField(max_length=100)

    class Guards:
        owned = True

    class Meta:
        ordering = ["rule", "side", "function"]
        constraints = [
            models.UniqueConstraint(fields=["rule", "side", "function"], name="sod_side_once"),
        ]

    def __str__(self) -> str:
        return f"{self.rule_id} {self.side}: {self.name}"


class FunctionDuty(Record):
    """One duty of a function, as the apps declare it."""

    function = models.CharField(max_length=30)
    duty = models.CharField(max_length=100)

    class Guards:
        owned = True

    class Meta:
        ordering = ["function", "duty"]
        verbose_name_plural = "function duties"
        constraints = [models.UniqueConstraint(fields=["function", "duty"], name="sod_functionduty_once")]
        indexes = [models.Index(fields=["duty"], name="sod_functionduty_duty")]

    def __str__(self) -> str:
        return f"{self.function}: {self.duty}"


class MachineMitigation(Record):
    """Why a shipped machine role may hold both sides of a rule ('*': of any), and what guards it instead."""

    role = models.CharField(max_length=50)
    rule = models.CharField(max_length=4)
    mitigation = models.TextField()

    class Guards:
        owned = True

    class Meta:
        ordering = ["role", "rule"]
        constraints = [models.UniqueConstraint(fields=["role", "rule"], name="sod_machinemitigation_once")]

    def __str__(self) -> str:
        return f"{self.role}: {self.rule}"
