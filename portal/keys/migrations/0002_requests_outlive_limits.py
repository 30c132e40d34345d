"""Let requests outlive the limit that they were about: they keep its metric and window."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


def copy_limit(apps, editor):
    rows = apps.get_model("keys", "KeyRequest").objects.filter(kind="budget").select_related("quota")
    for row in rows.iterator():
        row.metric, row.window = row.quota.metric, row.quota.window
        row.save(update_fields=["metric", "window"])


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0004_quota_pairs'),
        ('catalog', '0001_initial'),
        ('keys', '0001_initial'),
        ('people', '0001_initial'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='keyrequest',
            name='request_names_its_object',
        ),
        migrations.AddField(
            model_name='keyrequest',
            name='metric',
            field=models.CharField(blank=True, max_length=16),
        ),
        migrations.AddField(
            model_name='keyrequest',
            name='window',
            field=models.CharField(blank=True, max_length=16),
        ),
        migrations.RunPython(copy_limit, migrations.RunPython.noop),
        migrations.AlterField(
            model_name='keyrequest',
            name='quota',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='requests', to='billing.quota'),
        ),
        migrations.AddConstraint(
            model_name='keyrequest',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('kind', 'model'), ('model__isnull', False)), models.Q(('amount__gt', 0), ('kind', 'budget'), models.Q(('metric', ''), _negated=True)), _connector='OR'), name='request_names_its_object'),
        ),
    ]
