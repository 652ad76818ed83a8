#!/usr/bin/env python3
"""Placet's command line: `up`, `test`, and every Django command inside `.venv`."""

import os
import sys

ROOT = os.path.dirname(os.path.abspath(__file__))


def main():
    """Get into the virtual environment with a new enough Python, then run the command."""
    from placet import bootstrap

    bootstrap.enter(ROOT, sys.argv)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "placet.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
