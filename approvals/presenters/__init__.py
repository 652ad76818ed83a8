"""Frozen view models: everything a template shows, computed before it is rendered."""
