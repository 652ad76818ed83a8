"""Judges from outside: clients, servers and a conformance suite that nobody here wrote."""
