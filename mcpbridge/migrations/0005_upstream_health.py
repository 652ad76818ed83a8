"""HTTP+SSE as a transport; since when an upstream fails, and when it is tried again."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("mcpbridge", "0004_questions")]

    operations = [
        migrations.AddField(
            model_name="upstream",
            name="failing_since",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="upstream",
            name="next_try_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AlterField(
            model_name="upstream",
            name="transport",
            field=models.CharField(
                choices=[
                    ("http", "Streamable HTTP"),
                    ("sse", "HTTP with SSE (2024-11-05)"),
                    ("stdio", "stdio"),
                ],
                max_length=8,
            ),
        ),
    ]
