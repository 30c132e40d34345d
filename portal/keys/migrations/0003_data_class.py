"""Let a key say how careful at least its calls are taken."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("keys", "0002_requests_outlive_limits")]

    operations = [
        migrations.AddField(
            model_name="key",
            name="data_class",
            field=models.CharField(blank=True, default="", max_length=16),
            preserve_default=False,
        ),
        migrations.AddConstraint(
            model_name="key",
            constraint=models.CheckConstraint(
                condition=models.Q(("data_class__in", ["", "public", "internal", "confidential", "restricted"])),
                name="key_data_class_known",
            ),
        ),
    ]
