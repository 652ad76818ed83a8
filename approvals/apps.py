"""Django application: the approval ledger."""

from django.apps import AppConfig


class ApprovalsConfig(AppConfig):
    """The ledger and its people; knows nothing of MCP."""

    name = "approvals"
    verbose_name = "Approvals"
    default_auto_field = "django.db.models.BigAutoField"
