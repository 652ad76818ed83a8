"""What a newcomer meets: a scratch repository, a real MCP server for it, and an agent that asks."""
