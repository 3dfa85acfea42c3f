"""Every decision says why. Those of before stay as they were said: they are evidence, so where one of them
says nothing the constraint is not asked of them (NOT VALID). It holds for every row written from now on.
"""

from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models


VALIDATE = r"""
DO $$ BEGIN
  IF NOT EXISTS (SELECT 1 FROM approvals_decision WHERE comment !~ '\S') THEN
    ALTER TABLE approvals_decision VALIDATE CONSTRAINT approvals_decision_says_why;
  END IF;
END $$
"""


class Migration(migrations.Migration):
    dependencies = [("approvals", "0001_approvals_and_policies")]

    operations = [
        migrations.RemoveConstraint(model_name="decision", name="approvals_decision_says_why"),
        migrations.AlterField(
            model_name="decision", name="comment", field=models.CharField(max_length=1000)
        ),
        AddConstraintNotValid(
            model_name="decision",
            constraint=models.CheckConstraint(
                condition=models.Q(comment__regex=r"\S"),
                name="approvals_decision_says_why",
                violation_error_message="Whoever decides says why.",
            ),
        ),
        migrations.RunSQL(VALIDATE, migrations.RunSQL.noop),
    ]
