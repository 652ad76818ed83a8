"""Which resources a legacy upstream's session is subscribed to: brought to what is wanted."""

from __future__ import annotations

import logging

from mcpbridge.upstream.client import UpstreamSession
from mcpbridge.upstream.errors import NothingSent, OutcomeUnknown
from mcpbridge.upstream.replies import ToolRpcError

logger = logging.getLogger(__name__)


async def subscribe(session: UpstreamSession, wanted: frozenset[str], have: set[str]) -> None:
    """Bring a legacy session's subscriptions to what is wanted."""
    for uri in sorted(wanted - have):
        if await _tell(session, "resources/subscribe", uri):
            have.add(uri)
    await unsubscribe(session, have - wanted)
    have &= wanted


async def unsubscribe(session: UpstreamSession, uris: set[str]) -> None:
    """Watch these no more; best effort."""
    if session.is_shared_process:
        return  # other processes use the same server, and may still want to hear
    for uri in sorted(uris):
        await _tell(session, "resources/unsubscribe", uri)


async def _tell(session: UpstreamSession, method: str, uri: str) -> bool:
    try:
        reply = await session.request(method, {"uri": uri})
    except (NothingSent, OutcomeUnknown) as error:
        logger.info("%s of %s failed: %s", method, session.spec.name, error)
        return False
    return not isinstance(reply, ToolRpcError)
