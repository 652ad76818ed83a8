"""The browsers' doorbell: says which tickets changed, to the people who may see them.

Read-only: whatever a browser sends ends the connection. Carries identifiers and version numbers
only. `hub` knows everybody who listens in this process, `socket` one browser's connection.
"""

from approvals.consumers.socket import doorbell

__all__ = ["doorbell"]
