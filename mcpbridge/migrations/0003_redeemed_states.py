"""States that clients handed back, so that each is used once."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("mcpbridge", "0002_guards")]
    operations = [
        migrations.CreateModel(
            name="RedeemedState",
            fields=[
                ("id", models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ("expires_at", models.DateTimeField(db_index=True)),
            ],
        ),
    ]
