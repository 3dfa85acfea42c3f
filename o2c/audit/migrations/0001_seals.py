import django.db.models.deletion
import django.db.models.expressions
import django.db.models.functions.datetime
from django.db import migrations, models

TABLES = """
CREATE TABLE audit_layout (
    id integer PRIMARY KEY,
    table_name text NOT NULL,
    key_column text NOT NULL,
    columns text[] NOT NULL,
    live_table text NOT NULL,
    live_key text NOT NULL,
    live_columns text[] NOT NULL,
    since_xid bigint NOT NULL DEFAULT pg_current_xact_id()::text::bigint,
    since timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE audit_leaf (
    epoch smallint NOT NULL,
    xid bigint NOT NULL,
    layout integer NOT NULL,
    row_id bigint NOT NULL,
    hash bytea NOT NULL,
    at timestamptz NOT NULL DEFAULT statement_timestamp(),
    PRIMARY KEY (epoch, xid, layout, row_id)
);
CREATE FUNCTION o2c_epoch() RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE AS 'SELECT 1';
"""

BACK = "DROP TABLE audit_leaf; DROP TABLE audit_layout; DROP FUNCTION o2c_epoch();"


class Migration(migrations.Migration):
    initial = True

    dependencies: list[tuple[str, str]] = []

    operations = [
        migrations.RunSQL(TABLES, BACK),
        migrations.CreateModel(
            name='Block',
            fields=[
                ('recorded_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
                ('actor_id', models.BigIntegerField(db_default=django.db.models.expressions.RawSQL("(nullif(current_setting('o2c.actor_id', true), '')::bigint)", ()), editable=False)),
                ('n', models.BigIntegerField(help_text='1, 2, 3 … without a gap', primary_key=True, serialize=False)),
                ('epoch', models.IntegerField(help_text='Changes when the database was restored or moved')),
                ('kind', models.CharField(choices=[('seal', 'Seal'), ('epoch', 'New epoch')], default='seal', max_length=5)),
                ('from_xid', models.BigIntegerField(help_text='First transaction')),
                ('upto_xid', models.BigIntegerField(help_text='First transaction that is not in it any more')),
                ('next_xid', models.BigIntegerField(help_text='First transaction that had not begun when it was sealed')),
                ('count', models.BigIntegerField(help_text='Leaves in it')),
                ('total', models.BigIntegerField(help_text='Leaves in the chain so far')),
                ('root', models.CharField(help_text='Merkle root of its leaves, RFC 6962', max_length=64)),
                ('prev', models.CharField(help_text='Hash of the block before', max_length=64, unique=True)),
                ('hash', models.CharField(max_length=64, unique=True)),
                ('sealed_at', models.DateTimeField()),
                ('incarnation', models.CharField(help_text='Which database: system, timeline, oid', max_length=60)),
                ('note', models.TextField(blank=True)),
            ],
            options={
                'ordering': ['-n'],
                'constraints': [models.CheckConstraint(condition=models.Q(('count__gte', 0), ('n__gte', 1), ('next_xid__gte', models.F('upto_xid')), models.Q(('upto_xid__gte', models.F('from_xid')), ('kind', 'epoch'), _connector='OR')), name='audit_block_order')],
            },
        ),
        migrations.CreateModel(
            name='Anchor',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('recorded_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
                ('actor_id', models.BigIntegerField(db_default=django.db.models.expressions.RawSQL("(nullif(current_setting('o2c.actor_id', true), '')::bigint)", ()), editable=False)),
                ('subject', models.CharField(blank=True, help_text='What it was made for, e.g. a close', max_length=100)),
                ('body', models.JSONField(help_text='What is signed')),
                ('signature', models.CharField(help_text='Ed25519 over the canonical JSON of the body', max_length=128)),
                ('key', models.CharField(help_text='SHA-256 of the public key', max_length=64)),
                ('places', models.JSONField(default=list, help_text='Where it was written')),
                ('block', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='anchors', to='audit.block')),
            ],
            options={
                'ordering': ['-id'],
                'indexes': [models.Index(condition=models.Q(('subject', ''), _negated=True), fields=['subject'], name='audit_anchor_subject')],
            },
        ),
    ]
