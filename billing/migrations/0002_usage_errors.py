"""Let failed requests be listed without reading all the others."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("billing", "0001_initial")]

    operations = [
        migrations.AddIndex(
            model_name="usageevent",
            index=models.Index(condition=models.Q(("status__gte", 400)), fields=["at"], name="usage_errors"),
        ),
    ]
