"""Database engines of our own: what Django's leave open."""
