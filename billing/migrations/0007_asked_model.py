"""Keep which model a client named, where another one answered."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("billing", "0006_balance_wanted")]

    operations = [
        migrations.AddField(
            model_name="usageevent",
            name="asked_model_id",
            field=models.CharField(blank=True, default="", max_length=40),
        ),
    ]
