"""The two kinds of rows: records, which change and keep their history, and facts, which never change.

History is django-simple-history's: its models, admin views and API. Only the writing is left to
triggers (`o2c.audit.triggers`), because signals miss bulk writes, `QuerySet.update`, COPY and raw
SQL.
"""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models.expressions import RawSQL
from django.db.models.functions import Now
from simple_history.models import HistoricalRecords


class History(HistoricalRecords):
    """Declares a history table that the database fills; every Python-side writer is disabled."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("history_id_field", models.BigAutoField())
        kwargs.setdefault("history_change_reason_field", models.TextField(default=""))
        kwargs.setdefault("user_db_constraint", False)
        super().__init__(**kwargs)

    def copy_fields(self, model: type[models.Model]) -> dict[str, models.Field[Any, Any]]:
        """History is read by object and by time only; an index per column would cost every write."""
        fields: dict[str, models.Field[Any, Any]] = super().copy_fields(model)
        for field in fields.values():
            field.db_index = False  # type: ignore[attr-defined]
        return fields

    def get_extra_fields(self, model: type[models.Model], fields: Any) -> dict[str, Any]:
        extra: dict[str, Any] = super().get_extra_fields(model, fields)
        extra["history_date"] = models.DateTimeField()
        extra["history_user"] = models.ForeignKey(
            "access.User",
            null=True,
            related_name="+",
            on_delete=models.DO_NOTHING,
            db_constraint=False,
            db_index=False,
        )
        extra["history_actor"] = models.TextField(default="")
        extra["history_on_behalf_of_id"] = models.BigIntegerField(null=True)
        extra["history_request_id"] = models.TextField(default="")
        extra["history_txid"] = models.BigIntegerField()
        return extra

    def get_meta_options(self, model: type[models.Model]) -> dict[str, Any]:
        meta: dict[str, Any] = super().get_meta_options(model)
        pk = model._meta.pk
        assert pk is not None
        meta["ordering"] = ("-history_id",)
        meta["get_latest_by"] = "history_id"
        meta["indexes"] = (models.Index(fields=[pk.name, "history_id"]),)
        return meta

    def post_save(self, *args: Any, **kwargs: Any) -> None:
        """The database writes history."""

    post_delete = pre_delete = m2m_changed = post_save


class Record(models.Model):
    """A row that may change. Every change, by whatever path, leaves a history row with its actor."""

    created_at = models.DateTimeField(db_default=Now(), editable=False)

    history = History(inherit=True)

    class Meta:
        abstract = True


class AppendOnly(models.Model):
    """A fact: inserted once, with its actor, and never updated or deleted.

    A correction is a new fact that points at the old one.
    """

    recorded_at = models.DateTimeField(db_default=Now(), editable=False)
    actor_id = models.BigIntegerField(
        db_default=RawSQL("(nullif(current_setting('o2c.actor_id', true), '')::bigint)", ()),
        editable=False,
    )

    class Meta:
        abstract = True

    class Guards:
        append_only = True
