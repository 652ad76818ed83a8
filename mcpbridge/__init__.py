"""The policy enforcement point: it speaks MCP, and asks the ledger through one module."""
