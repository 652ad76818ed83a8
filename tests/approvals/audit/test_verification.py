"""Any value of any audited row, changed by hand, is found and named by table and key."""

import json
import uuid
from datetime import datetime, timedelta

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction

from approvals.audit.verification import AUDITED
from tests.support.record import a_hand_at_the_console, assert_found, columns_of, rows_of, uncovered


def test_an_untouched_record_adds_up(story, capsys):
    call_command("verify_audit")
    assert "adds up" in capsys.readouterr().out


def another(value, field):
    """Another value of the same type."""
    kind = field.get_internal_type()
    if value is None:
        return None
    if kind == "JSONField":
        return json.dumps({"other": 1})
    if isinstance(value, bool) or kind == "BooleanField":
        return not value
    if isinstance(value, int):
        return value + 1000
    if isinstance(value, bytes):
        return bytes([value[0] ^ 1]) + value[1:]
    if isinstance(value, datetime):
        return value + timedelta(microseconds=1)
    if isinstance(value, uuid.UUID):
        return uuid.UUID(int=value.int ^ 1)
    if len(value) == 32 and kind in {"UUIDField", "ForeignKey"}:
        return uuid.UUID(int=uuid.UUID(value).int ^ 1).hex
    if value[:2] == "20" and kind == "DateTimeField":
        return value[:-1] + ("1" if value[-1] != "1" else "2")
    return "x" + value[1:] if value else "x"


@pytest.mark.postgres  # on SQLite bytes of every column are changed: test_changed_bytes.py
@pytest.mark.parametrize("model", AUDITED, ids=lambda model: model._meta.db_table)
def test_a_value_of_each_kind_of_column_changed_is_found_and_its_row_is_named(story, model):
    table, key = model._meta.db_table, model._meta.pk.column
    fields = {field.column: field for field in model._meta.concrete_fields}
    tried = 0
    kinds: set[str] = set()
    with a_hand_at_the_console() as cursor:
        for row in rows_of(cursor, model)[-1:]:
            for column in columns_of(model):
                changed = another(row[column], fields[column])
                kind = fields[column].get_internal_type()
                if kind in kinds or changed in (None, row[column]) or uncovered(model, column, row):
                    continue
                kinds.add(kind)
                mark = transaction.savepoint_create()
                try:
                    with transaction.atomic():
                        cursor.execute(
                            f'UPDATE "{table}" SET "{column}" = %s WHERE "{key}" = %s',
                            [changed, row[key]],
                        )
                except IntegrityError:
                    assert connection.vendor == "postgresql"  # its checks cannot be switched off
                else:
                    tried += 1
                    assert_found(model, column, row, changed)
                transaction.savepoint_rollback(mark)
    assert tried
