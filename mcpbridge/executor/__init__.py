"""The one road out: making a call that may be made, and recording what came of it.

`allowed` runs calls that policy allowed, in the web process; `tickets` runs approved tickets, in
a worker. Both go through `road`. Neither judges: authority is in the committed row.
"""
