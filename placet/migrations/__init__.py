"""The schema of the signs of life."""
