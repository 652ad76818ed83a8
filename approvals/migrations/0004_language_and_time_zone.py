"""The language and the time zone that a person chose for the pages."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("approvals", "0003_typed_answers")]
    operations = [
        migrations.AddField(
            model_name="person",
            name="language",
            field=models.CharField(blank=True, default="", max_length=16),
        ),
        migrations.AddField(
            model_name="person",
            name="time_zone",
            field=models.CharField(blank=True, default="", max_length=64),
        ),
    ]
