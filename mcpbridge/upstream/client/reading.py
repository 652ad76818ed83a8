"""What the answer to one request means: a reply, a definite refusal, or nothing that is known.

Knows no session and no transport.
"""

from __future__ import annotations

from collections.abc import Callable

from mcpbridge.upstream.client.flight import Answer
from mcpbridge.upstream.errors import OutcomeUnknown, Unknown
from mcpbridge.upstream.questions import Asking
from mcpbridge.upstream.replies import (
    MalformedMessage,
    Message,
    ToolReply,
    ToolRpcError,
    questions_of,
)

HTTP_REFUSED = -32000
DEFINITE = frozenset({400, 401, 403, 404, 405, 406, 410, 411, 413, 414, 415, 421, 426, 429, 431})
"""HTTP statuses by which a server says that it did not act (DECISIONS 18)."""


def reply_of(
    answer: Answer, read: Callable[[Message], ToolReply], asking: Asking | None
) -> ToolReply:
    """The answer as `read` understands it.

    Raises OutcomeUnknown where it says nothing that is known, and QuestionsAsked to one who may
    be asked.
    """
    if isinstance(answer, Message):
        if asking is not None and asking.collects and (asked := questions_of(answer)):
            raise asked
        try:
            return read(answer)
        except MalformedMessage as error:
            raise OutcomeUnknown(Unknown.MALFORMED, str(error)) from None
    if answer.status in DEFINITE:
        return ToolRpcError(
            code=HTTP_REFUSED,
            message=f"the upstream refused the request with HTTP status {answer.status}",
        )
    raise OutcomeUnknown(Unknown.MALFORMED, f"HTTP status {answer.status} instead of an answer")
