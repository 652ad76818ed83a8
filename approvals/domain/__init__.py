"""Pure rules of the ledger: no rows, no clock, no framework."""
