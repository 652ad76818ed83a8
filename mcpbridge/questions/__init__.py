"""Questions that upstreams ask during calls: who answers them, and what of it is on record."""

from mcpbridge.questions.answering import Answerer, Behalf

__all__ = ["Answerer", "Behalf"]
