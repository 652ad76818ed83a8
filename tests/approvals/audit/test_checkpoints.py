"""Checkpoints: signed, chained, complete, and comparable with copies kept elsewhere."""

import hashlib
import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import connection

from approvals.audit import checkpoints
from approvals.audit.checkpoints import FILE_NAME, export_new, read_exported, seal_checkpoint
from approvals.audit.verification import verify
from approvals.domain.canonical import digest
from approvals.models import AuditEvent, Checkpoint, CheckpointLeaf
from tests.support import ledger
from tests.support.record import a_hand_at_the_console

pytestmark = [pytest.mark.django_db, pytest.mark.both_engines]

CALLS: dict[str, bytes] = {}


def calls(*, since=None, rows=None):
    """A source of leaves like that of the enforcement point's call records."""
    found = CALLS if rows is None else {row: CALLS[row] for row in rows if row in CALLS}
    return list(found.items())


calls.source = "call"


@pytest.fixture(autouse=True)
def call_records(settings):
    CALLS.clear()
    settings.APPROVALS_PORTS = {"checkpoint_sources": [f"{__name__}.calls"]}
    settings.APPROVALS_CHECKPOINT_EXPORT_DIR = None


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    monkeypatch.setattr(
        "approvals.ports.import_string", lambda path: calls if path.endswith(".calls") else None
    )


@pytest.fixture
def cast(db):
    return ledger.a_cast()


def test_an_empty_record_needs_no_checkpoint():
    assert seal_checkpoint() is None


def test_a_checkpoint_covers_every_new_row_once(cast):
    ledger.an_approved(cast)
    CALLS["one"] = hashlib.sha256(b"one").digest()
    first = seal_checkpoint()
    assert first.size == AuditEvent.objects.count() + 1
    assert seal_checkpoint() is None
    ledger.a_pending(cast)
    second = seal_checkpoint()
    assert (second.pk, second.size) == (2, 1)
    assert CheckpointLeaf.objects.count() == first.size + second.size
    assert verify() == []


def test_more_rows_than_fit_are_covered_by_the_next_checkpoints(cast):
    for _ in range(7):
        ledger.a_pending(cast)
    sizes = []
    while (sealed := seal_checkpoint(limit=3)) is not None:
        sizes.append(sealed.size)
    assert sizes == [3, 3, 1]
    assert verify() == []


def test_a_call_record_that_changed_after_its_checkpoint_is_named(cast):
    CALLS.update({"one": b"1" * 32, "two": b"2" * 32})
    seal_checkpoint()
    CALLS["two"] = b"3" * 32
    assert [(found.table, found.key) for found in verify()] == [("call", "two")]
    del CALLS["two"]
    assert [(found.table, found.key) for found in verify()] == [("call", "two")]


def test_an_old_row_that_was_slipped_in_later_is_named(cast, monkeypatch):
    CALLS["one"] = b"1" * 32
    seal_checkpoint()
    CALLS["slipped in"] = b"9" * 32
    young_only = lambda *, since=None, rows=None: [] if since else calls(rows=rows)  # noqa: E731
    young_only.source = "call"
    monkeypatch.setattr("approvals.ports.import_string", lambda path: young_only)
    assert [(found.table, found.key) for found in verify()] == [("call", "slipped in")]


def test_a_checkpoint_is_verified_with_its_public_key_alone(cast, tmp_path):
    ledger.a_pending(cast)
    seal_checkpoint()
    assert export_new(tmp_path) == 1
    line = json.loads((tmp_path / FILE_NAME).read_text())
    columns = {key: line[key] for key in line.keys() - {"signature", "public_key"}}
    key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(line["public_key"]))
    key.verify(bytes.fromhex(line["signature"]), digest("checkpoint", columns))


def test_another_key_does_not_pass_for_ours(cast, settings):
    ledger.a_pending(cast)
    seal_checkpoint()
    settings.APPROVALS_CHECKPOINT_KEY = b"k" * 32
    assert verify()[0].problem == "its signature does not hold"


def test_without_a_proper_key_nothing_is_signed(cast, settings):
    ledger.a_pending(cast)
    settings.APPROVALS_CHECKPOINT_KEY = b"short"
    with pytest.raises(ImproperlyConfigured, match="APPROVALS_CHECKPOINT_KEY"):
        seal_checkpoint()


def test_every_checkpoint_is_copied_off_the_box_once(cast, settings, tmp_path):
    ledger.a_pending(cast)
    seal_checkpoint()
    settings.APPROVALS_CHECKPOINT_EXPORT_DIR = tmp_path / "elsewhere"
    ledger.a_pending(cast)
    seal_checkpoint()
    ledger.a_pending(cast)
    seal_checkpoint()
    kept = list(read_exported(tmp_path / "elsewhere" / FILE_NAME))
    assert [line["id"] for line in kept] == [1, 2, 3]
    assert verify(exported=kept) == []


def test_a_copy_that_cannot_be_written_keeps_no_checkpoint_from_being_sealed(
    cast, settings, tmp_path, caplog
):
    (tmp_path / "file").write_text("in the way")
    settings.APPROVALS_CHECKPOINT_EXPORT_DIR = tmp_path / "file"
    ledger.a_pending(cast)
    assert seal_checkpoint() is not None
    assert "copied" in caplog.text


def test_a_rewritten_record_is_told_from_the_copies(cast, tmp_path):
    ledger.a_pending(cast)
    seal_checkpoint()
    export_new(tmp_path)
    file = tmp_path / FILE_NAME
    call_command("verify_audit", checkpoints=[file])
    with a_hand_at_the_console():
        pass
    CheckpointLeaf.objects.all().delete()
    Checkpoint.objects.all().delete()
    ledger.a_pending(cast)
    seal_checkpoint()
    assert [b for b in verify() if b.table != "triggers"] == []
    with pytest.raises(CommandError, match="exported copy of this checkpoint differs"):
        call_command("verify_audit", checkpoints=[file])


def test_a_file_that_holds_no_checkpoints_is_named(tmp_path):
    file = tmp_path / "other.jsonl"
    file.write_text('{"id": 1}\nnonsense\n')
    with pytest.raises(CommandError, match="line 2: not a checkpoint"):
        call_command("verify_audit", checkpoints=[file])


def test_the_command_names_the_first_broken_row_and_fails(cast, capsys):
    ticket = ledger.a_pending(cast)
    with a_hand_at_the_console() as cursor:
        cursor.execute("UPDATE approvals_ticket SET agent_name = 'mallory'")
    with pytest.raises(CommandError, match=f"first: approvals_ticket {ticket.pk}: "):
        call_command("verify_audit")
    assert f"BROKEN approvals_ticket {ticket.pk}: " in capsys.readouterr().err


@pytest.mark.parametrize("name", ["ticket_end_is_final", "approvals_auditevent_no_update"])
def test_a_guard_that_was_taken_away_is_named(cast, name):
    table = "approvals_ticket" if name.startswith("ticket") else "approvals_auditevent"
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER {name}")
        else:
            cursor.execute(f"DROP TRIGGER {name}")
    assert [found.key for found in verify()] == [name]


def test_an_exported_line_is_the_same_from_every_process(cast):
    ledger.a_pending(cast)
    sealed = seal_checkpoint()
    assert checkpoints.as_line(sealed) == checkpoints.as_line(Checkpoint.objects.get())
