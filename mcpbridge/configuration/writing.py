"""Plain data as YAML that says to an editor or a terminal what it says to `apply`.

An upstream wrote the definitions of its tools: what nobody would see in them is spelled out, as
YAML's own escapes. Knows nothing of the document's shape.
"""

from __future__ import annotations

from typing import Any

import yaml

from mcpbridge.approvals_gateway import spelled


class _Dumper(yaml.SafeDumper):
    """The safe dumper, but for texts with characters that mislead: they are written in ASCII."""

    def analyze_scalar(self, scalar: str) -> Any:
        """Decide for each text by itself; the emitter asks before it writes one."""
        self.allow_unicode = spelled(scalar) == scalar
        return super().analyze_scalar(scalar)


def write_yaml(document: object) -> str:
    """`document` as YAML, its keys in their order."""
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True)
