from django.db import migrations, models

HELP = 'only events with these values count, {"token_kind": ["output"]}; empty: all'


class Migration(migrations.Migration):
    dependencies = [("orders", "0004_pauses_and_transfers")]

    operations = [
        migrations.AddField(
            model_name="historicalmeter",
            name="filters",
            field=models.JSONField(blank=True, default=dict, help_text=HELP),
        ),
        migrations.AddField(
            model_name="meter",
            name="filters",
            field=models.JSONField(blank=True, default=dict, help_text=HELP),
        ),
    ]
