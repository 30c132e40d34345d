"""Let an application say how careful at least its calls are taken."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("people", "0002_stop")]

    operations = [
        migrations.AddField(
            model_name="application",
            name="data_class",
            field=models.CharField(blank=True, default="", max_length=16),
            preserve_default=False,
        ),
        migrations.AddConstraint(
            model_name="application",
            constraint=models.CheckConstraint(
                condition=models.Q(("data_class__in", ["", "public", "internal", "confidential", "restricted"])),
                name="application_data_class_known",
            ),
        ),
    ]
