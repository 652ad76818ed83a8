"""Definitions of tools keep the order in which their upstream wrote them."""

from django.db import migrations

from mcpbridge.models.ordered import OrderedJSONField


class Migration(migrations.Migration):
    dependencies = [("mcpbridge", "0005_upstream_health")]

    operations = [
        migrations.AlterField("toolpin", "definition", OrderedJSONField(null=True)),
        migrations.AlterField("toolpin", "offered", OrderedJSONField(null=True)),
    ]
