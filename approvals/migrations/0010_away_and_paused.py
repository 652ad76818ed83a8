"""Absences and who stands in, by which mandate votes were cast, and agents that were paused."""

from __future__ import annotations

import django.db.models.deletion
import uuid6
from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

import approvals.models.clock
from approvals.migrations import _triggers as guard

TRIGGERS = [
    *guard.immutable("approvals_votemandate"),
    *guard.immutable("approvals_absence_groups"),
    *guard.permanent("approvals_absence"),
    guard.Trigger(
        "absence_is_only_ended",
        "approvals_absence",
        "UPDATE",
        "an absence is only ended",
        guard.differ(
            ("id", "person_id", "delegate_id", "starts_at", "ends_at", "created_at")
        )
        + " OR OLD.ended_at IS NOT NULL OR NEW.ended_at IS NULL",
    ),
    *guard.permanent("approvals_agentpause"),
    guard.Trigger(
        "agent_pause_is_only_resumed",
        "approvals_agentpause",
        "UPDATE",
        "a pause is only ended",
        guard.differ(("id", "agent_id", "agent_name", "team_id", "paused_at", "paused_by_id"))
        + " OR OLD.resumed_at IS NOT NULL OR NEW.resumed_at IS NULL",
    ),
]


def install(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    """Create the triggers."""
    guard.install(editor, TRIGGERS)


def remove(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    """Drop the triggers again."""
    guard.remove(editor, TRIGGERS)


class Migration(migrations.Migration):

    dependencies = [
        ('approvals', '0009_step_up'),
    ]

    operations = [
        migrations.CreateModel(
            name='DueEscalation',
            fields=[
                ('ticket', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='+', serialize=False, to='approvals.ticket')),
                ('due_at', models.DateTimeField(db_index=True)),
            ],
        ),
        migrations.CreateModel(
            name='VoteMandate',
            fields=[
                ('decision', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name='mandate', serialize=False, to='approvals.decision')),
                ('mandates', models.JSONField()),
                ('stands_in_for', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='approvals.person')),
                ('ticket', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='approvals.ticket')),
            ],
        ),
        migrations.CreateModel(
            name='Absence',
            fields=[
                ('id', models.UUIDField(default=uuid6.uuid7, editable=False, primary_key=True, serialize=False)),
                ('starts_at', models.DateTimeField()),
                ('ends_at', models.DateTimeField()),
                ('created_at', models.DateTimeField(db_default=approvals.models.clock.DatabaseNow(), editable=False)),
                ('ended_at', models.DateTimeField(null=True)),
                ('delegate', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='stands_in', to='approvals.person')),
                ('ended_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='approvals.person')),
                ('groups', models.ManyToManyField(related_name='+', to='approvals.reviewergroup')),
                ('person', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='absences', to='approvals.person')),
            ],
            options={
                'indexes': [models.Index(condition=models.Q(('ended_at__isnull', True)), fields=['person', 'ends_at'], name='absence_of_person'), models.Index(condition=models.Q(('ended_at__isnull', True)), fields=['delegate', 'ends_at'], name='absence_by_delegate')],
                'constraints': [models.CheckConstraint(condition=models.Q(('ends_at__gt', models.F('starts_at'))), name='absence_ends_after_it_starts'), models.CheckConstraint(condition=models.Q(('delegate', models.F('person')), _negated=True), name='absence_is_covered_by_another')],
            },
        ),
        migrations.CreateModel(
            name='AgentPause',
            fields=[
                ('id', models.UUIDField(default=uuid6.uuid7, editable=False, primary_key=True, serialize=False)),
                ('agent_id', models.UUIDField()),
                ('agent_name', models.CharField(max_length=120)),
                ('paused_at', models.DateTimeField(db_default=approvals.models.clock.DatabaseNow(), editable=False)),
                ('resumed_at', models.DateTimeField(null=True)),
                ('paused_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='approvals.person')),
                ('resumed_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='approvals.person')),
                ('team', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='approvals.team')),
            ],
            options={
                'constraints': [models.UniqueConstraint(condition=models.Q(('resumed_at__isnull', True)), fields=('agent_id',), name='agent_paused_once')],
            },
        ),
        migrations.RunPython(install, remove),
    ]
