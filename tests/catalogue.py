"""`python -m tests.catalogue`: bring the German catalogue up to the source and compile it.

Prints the sentences that lack a translation and exits with 1 when there are any.
"""

from __future__ import annotations

import os
import sys

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")

import django

from tests.support.catalogue import (
    CATALOGUE,
    compiled,
    in_catalogue,
    in_source,
    joined,
    written,
)
from tests.support.refusals import every_refusal


def main() -> int:
    """Write the .po and the .mo file; return how the process ends."""
    django.setup()
    known = in_catalogue(CATALOGUE.read_text()) if CATALOGUE.exists() else {}
    messages = joined(in_source(every_refusal()), known)
    CATALOGUE.write_text(written(messages))
    CATALOGUE.with_suffix(".mo").write_bytes(compiled(messages))
    missing = [message for message in messages if not message.is_translated]
    for message in missing:
        print(message.key.one)
    print(f"{len(messages)} sentences, {len(missing)} without a translation", file=sys.stderr)
    return 1 if missing else 0


if __name__ == "__main__":
    raise SystemExit(main())
