"""What keeps a stdio server in its place: bubblewrap, else Landlock, else a clear label."""

from mcpbridge.upstream.sandbox.launch import Kind, Launch, SandboxUnusable, plan
from mcpbridge.upstream.sandbox.probe import best_kind, gaps, label

__all__ = ["Kind", "Launch", "SandboxUnusable", "best_kind", "gaps", "label", "plan"]
