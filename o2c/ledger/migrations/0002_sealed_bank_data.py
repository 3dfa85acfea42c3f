"""Bank data is sealed in its columns, in the rows and in their history; backwards it is opened again."""

from collections.abc import Callable
from typing import Any

from django.db import migrations, models

import o2c.vault
from o2c import vault

TABLES = (("ledger_legalentity", "id"), ("ledger_historicallegalentity", "history_id"))
WITHOUT = "DROP TRIGGER IF EXISTS o2c_now_ledger_entity_change_bank ON ledger_legalentity"
COLUMNS = ("bank_account", "bank_routing")


def _rewritten(change: Callable[[str], str]) -> Callable[[Any, Any], None]:
    """As the owner, past the guards: the values stay what they were. The guards are made anew after migrating."""

    def run(apps: Any, schema_editor: Any) -> None:
        with schema_editor.connection.cursor() as cursor:
            for table, key in TABLES:
                cursor.execute(f"SELECT {key}, {', '.join(COLUMNS)} FROM {table}")
                rows = cursor.fetchall()
                if not rows:
                    continue
                cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
                for pk, *values in rows:
                    cursor.execute(
                        f"UPDATE {table} SET bank_account = %s, bank_routing = %s WHERE {key} = %s",
                        [*map(change, values), pk],
                    )
                cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")

    return run


def _field(**options: Any) -> Any:
    return o2c.vault.SealedField(**options)


class Migration(migrations.Migration):
    dependencies = [("ledger", "0001_initial")]

    operations = [
        # It names the columns; the guards are made anew after migrating.
        migrations.RunSQL(WITHOUT, migrations.RunSQL.noop),
        migrations.AlterField("legalentity", "bank_account", _field(help_text="IBAN, or account number")),
        migrations.AlterField(
            "legalentity", "bank_routing", _field(blank=True, help_text="Routing number, where used")
        ),
        migrations.AlterField(
            "historicallegalentity", "bank_account", _field(help_text="IBAN, or account number")
        ),
        migrations.AlterField(
            "historicallegalentity", "bank_routing", _field(blank=True, help_text="Routing number, where used")
        ),
        migrations.RunSQL(migrations.RunSQL.noop, WITHOUT),
        migrations.RunPython(_rewritten(vault.sealed), _rewritten(vault.opened)),
        migrations.AddConstraint(
            "legalentity",
            models.CheckConstraint(
                condition=models.Q(("bank_account", "")) | models.Q(("bank_account__startswith", "enc:")),
                name="bank_account_is_sealed",
            ),
        ),
        migrations.AddConstraint(
            "legalentity",
            models.CheckConstraint(
                condition=models.Q(("bank_routing", "")) | models.Q(("bank_routing__startswith", "enc:")),
                name="bank_routing_is_sealed",
            ),
        ),
    ]
