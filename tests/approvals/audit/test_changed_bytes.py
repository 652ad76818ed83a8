"""SQLite keeps whatever it is given: here every single byte can be changed by hand."""

from zlib import crc32

import pytest
from django.db import transaction

from approvals.audit.verification import AUDITED
from tests.support.record import a_hand_at_the_console, assert_found, columns_of, rows_of, uncovered


def flipped(value, place):
    """`value` with one byte changed, as a hex editor would."""
    if value is None:
        return None
    if isinstance(value, int):
        return value + 1
    raw = bytearray(value if isinstance(value, bytes) else value.encode())
    if not raw:
        return "x"
    at = 0 if place == "first" else len(raw) // 2 if place == "middle" else len(raw) - 1
    raw[at] ^= 0x01 if isinstance(value, bytes) or raw[at] not in b"\x00\x01" else 0x02
    return bytes(raw) if isinstance(value, bytes) else raw.decode("ascii", "replace")


def upper(value):
    """Another spelling with the same meaning, where there is one."""
    if not isinstance(value, str):
        return None
    changed = value.replace(" ", "T", 1) if value[:2] == "20" else value.upper()
    if value[:1] in "{[":
        changed = value.replace(": ", ":\t", 1).replace(", ", ",\t", 1)
    return changed if changed != value else None


def changes_on_sqlite(model, first, last):
    """Each column of one of the two rows, changed in one of several ways, as its lot has it."""
    for column in columns_of(model):
        lot = crc32(f"{model}{column}".encode())
        for row in (first, last) if lot % 2 else (last, first):
            value = row[column]
            flip = flipped(value, ("first", "middle", "last")[lot % 3])
            wanted = (flip,) if lot % 4 < 2 else (upper(value), flip)
            changed = next((it for it in wanted if it not in (None, value)), None)
            if changed is not None and not uncovered(model, column, row):
                yield row, column, changed
                break


@pytest.mark.parametrize("model", AUDITED, ids=lambda model: model._meta.db_table)
def test_any_byte_changed_in_any_column_is_found_and_its_row_is_named(story, model):
    table, key = model._meta.db_table, model._meta.pk.column
    tried = 0
    with a_hand_at_the_console() as cursor:
        rows = rows_of(cursor, model)
        for row, column, changed in changes_on_sqlite(model, rows[0], rows[-1]):
            mark = transaction.savepoint_create()
            cursor.execute(
                f'UPDATE OR IGNORE "{table}" SET "{column}" = %s WHERE "{key}" = %s',
                [changed, row[key]],
            )
            if cursor.rowcount == 1:  # else a unique constraint stood in the way
                tried += 1
                assert_found(model, column, row, changed)
            transaction.savepoint_rollback(mark)
    assert tried
