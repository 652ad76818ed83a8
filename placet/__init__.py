"""Placet's composition root: it wires the ledger and the bridge together and knows the machine."""
