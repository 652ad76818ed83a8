"""YAML as plain data, without its traps: a key that stands twice is refused, tags are not known.

Knows nothing of the document's shape.
"""

from __future__ import annotations

from typing import Any

import yaml

from mcpbridge.configuration.document import BadDocument


class _Loader(yaml.SafeLoader):
    """The safe loader, but for keys that would silently replace each other."""


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[str] = set()
    for key, _value in node.value:
        if key.tag == "tag:yaml.org,2002:merge":
            continue
        if key.value in seen:
            raise BadDocument(
                f"line {key.start_mark.line + 1}: the key {key.value!r} stands here twice"
            )
        if isinstance(key.value, str):
            seen.add(key.value)
    loader.flatten_mapping(node)
    return dict(loader.construct_pairs(node, deep=True))


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def read_yaml(text: str) -> object:
    """What `text` says. Raises BadDocument naming the line where it says nothing."""
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 (a subclass of the safe loader)
    except yaml.YAMLError as problem:
        raise BadDocument(f"this is not YAML: {problem}") from problem
    except (RecursionError, TypeError, ValueError) as problem:
        raise BadDocument(f"this YAML cannot be read: {problem}") from problem
