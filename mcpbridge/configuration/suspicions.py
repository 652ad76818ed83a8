"""Places of a document where a secret may stand in clear, found by its name or its form.

A command line and plain variables are shown to admins and exported as they are. A guess: what it
does not find may be a secret all the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

_NAME: Final = re.compile(
    r"(?:^|[_\-])(?:api_?key|key|token|secret|password|passwd|pwd|credentials?|auth)(?:$|[_\-=])",
    re.IGNORECASE,
)
_FORM: Final = re.compile(
    r"(?:gh[pousr]|github_pat|glpat|sk|pk|rk|xox[abprs]|placet)[_-][A-Za-z0-9_\-]{16,}"
    r"|AKIA[0-9A-Z]{16}|-----BEGIN [A-Z ]*PRIVATE KEY|://[^/\s:@]+:[^/\s@]+@"
)


def places_of_secrets(document: Mapping[str, Any]) -> list[str]:
    """The paths of values that look like secrets, such as `upstreams[0].environment.API_KEY`."""
    return [
        f"upstreams[{index}].{place}"
        for index, upstream in enumerate(document.get("upstreams", ()))
        for place in (*_in_variables(upstream), *_in_command(upstream))
    ]


def _in_variables(upstream: Mapping[str, Any]) -> Iterator[str]:
    for name, value in upstream.get("environment", {}).items():
        if value and (_NAME.search(name) or _FORM.search(value)):
            yield f"environment.{name}"


def _in_command(upstream: Mapping[str, Any]) -> Iterator[str]:
    words = upstream.get("command", [])
    for place, word in enumerate(words):
        option, has_value, value = word.partition("=")
        before = words[place - 1] if place else ""
        told = option.startswith("-") and has_value and value and _NAME.search(option)
        follows = before.startswith("-") and not word.startswith("-") and _NAME.search(before)
        if told or follows or _FORM.search(word):
            yield f"command[{place}]"
