"""Indexes of the inbox's walks, and of tickets by the group that was asked."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("approvals", "0007_edits_and_conversations")]

    operations = [
        migrations.AddIndex(
            model_name="ticket",
            index=models.Index(
                fields=["approval_expires_at", "id"],
                condition=models.Q(ended_at__isnull=True),
                name="ticket_open_by_deadline",
            ),
        ),
        migrations.AddIndex(
            model_name="ticket",
            index=models.Index(
                fields=["approval_expires_at", "id"],
                condition=models.Q(state="outcome_unknown", annotated_at__isnull=True),
                name="ticket_unresolved",
            ),
        ),
        migrations.RunSQL(
            "CREATE INDEX ticket_asked_newest"
            " ON approvals_ticket_groups (reviewergroup_id, ticket_id)",
            "DROP INDEX ticket_asked_newest",
        ),
    ]
