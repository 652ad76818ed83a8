"""Call records: what policy allowed or denied outright, written before anything is sent.

`writer` commits the starts of many calls in one transaction and acknowledges each after the
commit; `rows` is what stands in that transaction. Knows nothing of how calls are made.
`redeemed` remembers the states that clients handed back.
"""

from mcpbridge.records.figures import recent_calls
from mcpbridge.records.redeemed import forget_redeemed, redeem
from mcpbridge.records.rows import CallEnd, CallStart, without_authority
from mcpbridge.records.writer import RecordRefused, ended, shutdown, start

__all__ = [
    "CallEnd",
    "CallStart",
    "RecordRefused",
    "ended",
    "forget_redeemed",
    "recent_calls",
    "redeem",
    "shutdown",
    "start",
    "without_authority",
]
