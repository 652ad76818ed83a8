"""Django application: the MCP enforcement point."""

from django.apps import AppConfig


class McpBridgeConfig(AppConfig):
    """Stands between agents and their MCP servers; asks the ledger."""

    name = "mcpbridge"
    verbose_name = "MCP bridge"
    default_auto_field = "django.db.models.BigAutoField"
