"""Reads. Visibility stands inside the query."""
