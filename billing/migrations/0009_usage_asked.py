"""Let the calls that another model answered be found without reading all the others."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("billing", "0008_usage_units")]

    operations = [
        migrations.AddIndex(
            model_name="usageevent",
            index=models.Index(
                condition=models.Q(("asked_model_id", ""), _negated=True),
                fields=["asked_model_id", "at"],
                name="usage_asked",
            ),
        ),
    ]
