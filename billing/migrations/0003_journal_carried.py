from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0002_usage_errors"),
    ]

    operations = [
        migrations.AddField(
            model_name="journaloffset",
            name="carried",
            field=models.BinaryField(blank=True, default=b""),
        ),
    ]
