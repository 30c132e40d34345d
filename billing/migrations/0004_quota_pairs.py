"""Quotas of pairs, with a model to go on with and shares at which people are told."""

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


def tell_of_budgets(apps, editor):
    apps.get_model("billing", "Quota").objects.filter(metric="usd").update(notify_percent=[50, 80, 100])


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0003_journal_carried'),
    ]

    operations = [
        migrations.CreateModel(
            name='QuotaNotice',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('period', models.BigIntegerField()),
                ('percent', models.PositiveSmallIntegerField()),
                ('spent', models.BigIntegerField()),
                ('limit', models.BigIntegerField()),
                ('at', models.DateTimeField(default=django.utils.timezone.now)),
                ('told_at', models.DateTimeField(blank=True, null=True)),
            ],
        ),
        migrations.RemoveConstraint(
            model_name='quota',
            name='quota_once',
        ),
        migrations.AddField(
            model_name='quota',
            name='by_lead',
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name='quota',
            name='model_id',
            field=models.CharField(blank=True, default='', max_length=40),
        ),
        migrations.AddField(
            model_name='quota',
            name='notify_percent',
            field=models.JSONField(blank=True, default=list),
        ),
        migrations.RunPython(tell_of_budgets, migrations.RunPython.noop),
        migrations.AddField(
            model_name='quota',
            name='step_down_model_id',
            field=models.CharField(blank=True, default='', max_length=40),
        ),
        migrations.AddConstraint(
            model_name='quota',
            constraint=models.UniqueConstraint(fields=('scope_kind', 'scope_id', 'model_id', 'metric', 'window'), name='quota_once'),
        ),
        migrations.AddConstraint(
            model_name='quota',
            constraint=models.CheckConstraint(condition=models.Q(('model_id', ''), models.Q(('scope_kind__in', ['organisation', 'model']), _negated=True), _connector='OR'), name='quota_pair_is_no_model'),
        ),
        migrations.AddConstraint(
            model_name='quota',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('metric', 'concurrent'), _negated=True), ('window', 'total'), _connector='OR'), name='quota_gauge_has_no_window'),
        ),
        migrations.AddConstraint(
            model_name='quota',
            constraint=models.CheckConstraint(condition=models.Q(('step_down_model_id', ''), models.Q(('step_down_model_id', models.F('model_id')), _negated=True), _connector='OR'), name='quota_steps_elsewhere'),
        ),
        migrations.AddField(
            model_name='quotanotice',
            name='quota',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='notices', to='billing.quota'),
        ),
        migrations.AddConstraint(
            model_name='quotanotice',
            constraint=models.UniqueConstraint(fields=('quota', 'period', 'percent'), name='quotanotice_once'),
        ),
    ]
