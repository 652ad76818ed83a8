"""Which prompts and resources an agent sees, and which upstream answers for one of them.

On the endpoint of one upstream, names and URIs are that upstream's own. Where all upstreams are
one, prompts are named like tools, and a URI belongs to the upstream that lists it or has a
template for it; `mcpbridge.calls.addresses` tells those apart that several claim.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from mcp.shared.uri_template import InvalidUriTemplate, UriTemplate

from mcpbridge import approvals_gateway as ledger
from mcpbridge.approvals_gateway import CallFacts, Effect
from mcpbridge.calls.addresses import MAX_URI, address_of, read_address
from mcpbridge.calls.naming import NameRefused, agent_tool_name
from mcpbridge.calls.principal import Principal
from mcpbridge.catalog.catalog import catalog, may_use
from mcpbridge.catalog.offers import Kind, Offer, OfferUnreadable
from mcpbridge.catalog.snapshot import Snapshot, Source
from mcpbridge.offload import in_database

logger = logging.getLogger(__name__)

_NAMED_BY: Final[dict[Kind, str]] = {
    "prompts": "name",
    "resources": "uri",
    "templates": "uriTemplate",
}
_MAX_TEMPLATE: Final = 2048
_MAX_VARIABLES: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a prompt or resource is: its upstream, and the upstream's own name for it."""

    upstream: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A list for one agent. `ttl_ms` is how long it may be believed."""

    items: list[dict[str, Any]]
    ttl_ms: int
    unreadable: tuple[str, ...] = ()


class Ambiguous(Exception):
    """Several upstreams could answer; `addresses` are the URIs by which each can be meant."""

    def __init__(self, uri: str, addresses: Sequence[str]) -> None:
        self.addresses = list(addresses)
        super().__init__(
            f"several upstreams answer for {uri[:200]!r}; say which by one of: "
            + ", ".join(address[:200] for address in addresses[:5])
        )


async def open_sources(
    principal: Principal, method: str, *, upstream: str | None = None
) -> list[Source]:
    """The upstreams of which policy allows this agent `method` outright, in the order of names."""
    gate = await in_database(ledger.gate)
    current = await catalog().snapshot(newer_than=gate.epoch - 1)
    sources = _usable(principal, current, upstream)
    facts = [
        CallFacts(upstream=source.name, tool=method, agent=principal.agent_name)
        for source in sources
    ]
    judgements = await catalog().verdicts.judge_all(facts, epoch=current.epoch)
    return [
        source
        for source, judgement in zip(sources, judgements, strict=True)
        if judgement.verdict.effect is Effect.ALLOW
    ]


async def usable_sources(principal: Principal, *, upstream: str | None = None) -> list[Source]:
    """The upstreams that are open to this agent's team, in the order of names."""
    gate = await in_database(ledger.gate)
    current = await catalog().snapshot(newer_than=gate.epoch - 1)
    return _usable(principal, current, upstream)


def _usable(principal: Principal, current: Snapshot, upstream: str | None) -> list[Source]:
    return [
        source
        for name, source in sorted(current.sources.items())
        if may_use(principal, source) and (upstream is None or name == upstream)
    ]


async def show(
    principal: Principal, kind: Kind, sources: Sequence[Source], *, upstream: str | None
) -> Shown:
    """What these upstreams list, under the names that this agent uses.

    An upstream whose list cannot be read contributes nothing.
    """
    offers = await _offers(principal, kind, sources)
    found = [offer for offer in offers if isinstance(offer, Offer)]
    unreadable = tuple(
        source.name
        for source, offer in zip(sources, offers, strict=True)
        if not isinstance(offer, Offer)
    )
    items = _own(found) if upstream is not None else _exposed(kind, found)
    ttl_ms = min((offer.ttl_ms for offer in found), default=0)
    return Shown(items=items, ttl_ms=0 if unreadable else ttl_ms, unreadable=unreadable)


async def _offers(
    principal: Principal, kind: Kind, sources: Sequence[Source], *, known: bool = False
) -> list[Offer | OfferUnreadable]:
    """Each upstream's list, side by side; the reason in the place of one that cannot be read."""
    offers = catalog().offers
    read = offers.known if known else offers.read
    results = await asyncio.gather(
        *(read(source, kind, agent_id=principal.agent_id) for source in sources),
        return_exceptions=True,
    )
    kept: list[Offer | OfferUnreadable] = []
    for result in results:
        if isinstance(result, OfferUnreadable):
            logger.warning("%s", result)
        elif isinstance(result, BaseException):
            raise result
        kept.append(result)
    return kept


def _own(offers: Sequence[Offer]) -> list[dict[str, Any]]:
    return [dict(item) for offer in offers for item in offer.items]


def _exposed(kind: Kind, offers: Sequence[Offer]) -> list[dict[str, Any]]:
    """The items under names that mean one thing each."""
    key = _NAMED_BY[kind]
    if kind == "prompts":
        named = [
            (name, item)
            for offer in offers
            for item in offer.items
            if (name := _prompt_name(offer.source.name, item[key])) is not None
        ]
        claimed = Counter(name for name, _ in named)
        return [{**item, key: name} for name, item in named if claimed[name] == 1]
    claims = Counter(name for offer in offers for name in {str(item[key]) for item in offer.items})
    return [
        {
            **item,
            key: item[key]
            if claims[item[key]] == 1 and read_address(item[key]) is None
            else address_of(offer.source.name, item[key]),
        }
        for offer in offers
        for item in offer.items
    ]


def _prompt_name(upstream: str, prompt: str) -> str | None:
    try:
        return agent_tool_name(upstream, prompt)
    except NameRefused as error:
        logger.warning("The prompt %r is not listed: %s", prompt, error)
        return None


async def place_of_prompt(
    principal: Principal, name: str, sources: Sequence[Source]
) -> Place | None:
    """The prompt that an agent of all upstreams means by `name`."""
    for known in (True, False):  # a list that is a little old, then one that is new
        offers = await _offers(principal, "prompts", sources, known=known)
        found = [
            Place(upstream=offer.source.name, name=item["name"])
            for offer in offers
            if isinstance(offer, Offer)
            for item in offer.items
            if _prompt_name(offer.source.name, item["name"]) == name
        ]
        if found:
            return found[0] if len(found) == 1 else None
    return None


async def place_of_resource(
    principal: Principal, uri: str, sources: Sequence[Source]
) -> Place | None:
    """The resource that an agent of all upstreams means by `uri`. Raises Ambiguous."""
    if (address := read_address(uri)) is not None:
        upstream, own = address
        is_open = any(source.name == upstream for source in sources)
        return Place(upstream=upstream, name=own) if is_open else None
    if len(uri) > MAX_URI:
        return None
    for known in (True, False):
        listed = await _offers(principal, "resources", sources, known=known)
        names = _having(listed, lambda item: item["uri"] == uri)
        if not names:
            templates = await _offers(principal, "templates", sources, known=known)
            names = _having(templates, lambda item: fits(item["uriTemplate"], uri))
        if len(names) > 1:
            raise Ambiguous(uri, [address_of(name, uri) for name in names])
        if names:
            return Place(upstream=names[0], name=uri)
    return None


def _having(offers: Sequence[Offer | OfferUnreadable], test: Any) -> list[str]:
    return [
        offer.source.name
        for offer in offers
        if isinstance(offer, Offer) and any(test(item) for item in offer.items)
    ]


async def place_of_template(
    principal: Principal, uri: str, sources: Sequence[Source]
) -> Place | None:
    """What a completion means by `uri`: a template as it is listed, or a resource."""
    templates = await _offers(principal, "templates", sources, known=True)
    names = _having(templates, lambda item: item["uriTemplate"] == uri)
    if len(names) == 1:
        return Place(upstream=names[0], name=uri)
    if len(names) > 1:
        raise Ambiguous(uri, [address_of(name, uri) for name in names])
    return await place_of_resource(principal, uri, sources)


def fits(template: str, uri: str) -> bool:
    """Whether a URI is one of those that a template stands for; a template may be itself, too."""
    if template == uri:
        return True
    try:
        parsed = UriTemplate.parse(template, max_length=_MAX_TEMPLATE, max_variables=_MAX_VARIABLES)
    except InvalidUriTemplate:
        return False
    return parsed.match(uri, max_uri_length=MAX_URI) is not None


def public_uri(uri: object, *, asked: str, own: str) -> object:
    """The URI that an agent knows a resource by which its upstream calls `own`."""
    return asked if uri == own else uri


def renamed_contents(result: Mapping[str, Any], *, asked: str, own: str) -> dict[str, Any]:
    """The result of a read whose contents bear the URI that the agent asked for."""
    contents = result.get("contents")
    if asked == own or not isinstance(contents, list):
        return dict(result)
    return {
        **result,
        "contents": [
            {**content, "uri": public_uri(content["uri"], asked=asked, own=own)}
            if isinstance(content, dict) and "uri" in content
            else content
            for content in contents
        ],
    }
