"""The audit record: hash chains per subject, sealed payloads, signed checkpoints, verification.

Knows rows and bytes; knows nothing of who may do what, nor of how a ticket moves.
"""

from approvals.audit.chain import append, canary_subject, ticket_subject
from approvals.audit.fingerprints import attest, fingerprint, row_label

__all__ = ["append", "attest", "canary_subject", "fingerprint", "row_label", "ticket_subject"]
