"""JSON that keeps the order of its members, which PostgreSQL's own type does not."""

from __future__ import annotations

import json
from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.expressions import Expression


class OrderedJSONField(models.JSONField):
    """A JSON value stored as text: a tool's schema tells in which order people read arguments."""

    def get_internal_type(self) -> str:
        """The column is a text's."""
        return "TextField"

    def from_db_value(
        self, value: str | None, expression: Expression, connection: BaseDatabaseWrapper
    ) -> Any:
        """The value of the stored text."""
        return None if value is None else json.loads(value)

    def get_db_prep_value(
        self,
        value: Any,
        connection: BaseDatabaseWrapper,
        prepared: bool = False,  # noqa: FBT001, FBT002 (as Django calls it)
    ) -> Any:
        """The text to store."""
        return None if value is None else json.dumps(value)
