"""The first account of an installation: from the environment, or with a password made now."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from django.contrib.auth import get_user_model
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import connection, connections

from approvals import api
from placet.env import Environment

PASSWORD_BYTES = 12


class AdminRefused(Exception):
    """The first admin cannot be made from the given variables."""


@dataclass(frozen=True, repr=False)
class FirstAdmin:
    """Who may sign in; `password` only when it was made now and nobody else knows it."""

    email: str
    password: str
    made: bool


def prepare(environment: Environment) -> FirstAdmin:
    """Bring the rows up to date: schema, first account, sample. Raises AdminRefused."""
    try:
        if environment.admin_password and not _has_accounts():
            _refuse_weak(environment.admin_password)
        call_command("migrate", interactive=False, verbosity=0)
        admin = _ensure_admin(environment)
        if environment.sample:
            call_command("seed_sample")
        return admin
    finally:
        connections.close_all()


def _ensure_admin(environment: Environment) -> FirstAdmin:
    """Make the first account unless there is one; a password that was given is a good one."""
    if _has_accounts():
        return FirstAdmin(email=environment.admin_email, password="", made=False)
    given = environment.admin_password
    password = given or secrets.token_urlsafe(PASSWORD_BYTES)
    api.create_user(email=environment.admin_email, password=password, name="Admin", is_admin=True)
    return FirstAdmin(email=environment.admin_email, password="" if given else password, made=True)


def _has_accounts() -> bool:
    """Whether there is anybody; also before the schema is there."""
    users = get_user_model()
    tables = connection.introspection.table_names()
    return users._meta.db_table in tables and users.objects.exists()


def _refuse_weak(password: str) -> None:
    try:
        validate_password(password)
    except ValidationError as error:
        raise AdminRefused(
            "PLACET_ADMIN_PASSWORD is refused: " + " ".join(error.messages)
        ) from None
