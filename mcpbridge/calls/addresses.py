"""The URI under which an agent of all upstreams sees a resource of one of them.

A URI stays as it is while one upstream alone answers for it. Where several do, each resource gets
an address that names its upstream: `placet://u/<upstream>/` and the URI as it is, which works for
URI templates, too. Such an address may be used for any resource at any time. Pure.
"""

from __future__ import annotations

import re
from typing import Final

PREFIX: Final = "placet://u/"
MAX_URI: Final = 8192

_ADDRESS = re.compile(r"placet://u/([-a-zA-Z0-9_]{1,40})/(.+)\Z", re.DOTALL)


def address_of(upstream: str, uri: str) -> str:
    """The address of `uri` at `upstream`."""
    return f"{PREFIX}{upstream}/{uri}"


def read_address(uri: str) -> tuple[str, str] | None:
    """(upstream, its own URI) of an address that names its upstream; None for any other URI."""
    found = _ADDRESS.match(uri)
    return (found[1], found[2]) if found else None


def below(uri: str, root: str) -> str | None:
    """What follows `root` in the URI of one of its parts; empty for itself, None for others."""
    if uri == root:
        return ""
    edge = root.rstrip("/") + "/"
    return uri[len(root.rstrip("/")) :] if uri.startswith(edge) else None
