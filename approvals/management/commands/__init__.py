"""Commands of the ledger, one a module."""
