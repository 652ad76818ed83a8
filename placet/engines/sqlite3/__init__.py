"""Django's SQLite, whose writers within one process take turns."""
