"""What somebody who verified the record found stands in a row; one run at a time."""

import approvals.models.clock
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('approvals', '0014_snoozes_say_when_they_are_over'),
    ]

    operations = [
        migrations.CreateModel(
            name='Verification',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('asked_at', models.DateTimeField(db_default=approvals.models.clock.DatabaseNow(), editable=False)),
                ('begun_at', models.DateTimeField(null=True)),
                ('lease_until', models.DateTimeField(null=True)),
                ('ended_at', models.DateTimeField(null=True)),
                ('over', models.BooleanField(default=False)),
                ('breaks', models.PositiveBigIntegerField(null=True)),
                ('first', models.JSONField(default=list)),
                ('asked_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='approvals.person')),
            ],
            options={
                'constraints': [models.UniqueConstraint(condition=models.Q(('over', False)), fields=('over',), name='verification_one_at_a_time'), models.CheckConstraint(condition=models.Q(models.Q(('ended_at__isnull', False), ('over', True)), models.Q(('breaks__isnull', True), ('ended_at__isnull', True), ('over', False)), _connector='OR'), name='verification_over_iff_ended')],
            },
        ),
    ]
