"""The upstream client: the only package whose bytes leave towards an upstream.

Import `UpstreamPool` from here; one per process and event loop.
"""

from mcpbridge.upstream.client.flight import LateReply, Progress
from mcpbridge.upstream.client.listening import NoStream
from mcpbridge.upstream.client.pool import UpstreamPool
from mcpbridge.upstream.client.session import UpstreamSession

__all__ = ["LateReply", "NoStream", "Progress", "UpstreamPool", "UpstreamSession"]
