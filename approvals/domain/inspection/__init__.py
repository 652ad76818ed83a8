"""Text and values that an attacker may have written, made fit to be read by a person.

Nothing here knows HTML: the result is segments, findings and words for any face to render.
"""

from approvals.domain.inspection.arguments import ArgumentRow, ArgumentTable, argument_rows
from approvals.domain.inspection.findings import Finding
from approvals.domain.inspection.text import (
    InspectedText,
    Segment,
    inspect,
    is_identifier,
    one_line,
    spelled,
)

__all__ = [
    "ArgumentRow",
    "ArgumentTable",
    "Finding",
    "InspectedText",
    "Segment",
    "argument_rows",
    "inspect",
    "is_identifier",
    "one_line",
    "spelled",
]
