"""The key towards push services is derived from the sealing key; no row holds it."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("approvals", "0011_indexes_of_the_history"),
    ]

    operations = [
        migrations.DeleteModel(name="PushKey"),
    ]
