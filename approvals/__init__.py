"""The ledger of tickets and its people: states, votes, policy, audit. Knows nothing of MCP."""
