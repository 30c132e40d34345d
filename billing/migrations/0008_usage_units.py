"""Keep what was used beside text tokens. The column may be empty, so that no row of the past is written anew."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("billing", "0007_asked_model")]

    operations = [
        migrations.AddField(model_name="usageevent", name="units", field=models.JSONField(blank=True, null=True)),
    ]
