"""Doorbells: after a commit, one small message says which row to look at again.

A message carries identifiers only, may be lost, and is never believed: whoever is woken reads
the row. Two kinds travel through the one channel-layer group `placet`:

    {"t": ticket uid, "v": version, "s": state, "m": team id}
    {"g": gate epoch, "k": whether the kill switch is on}

Those that are rung within one moment travel together. A listener of the `Bus` may also get
`{"lost": True}`: the subscription broke and messages may be missing, so look at everything you
care for.
"""

from approvals.events.listening import Bus, bus
from approvals.events.publisher import gate_changed, ticket_changed

__all__ = ["Bus", "bus", "gate_changed", "ticket_changed"]
