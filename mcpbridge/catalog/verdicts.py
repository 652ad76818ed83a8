"""Verdicts that are remembered for one epoch of the gate.

Policy cannot change without moving the epoch, and the epoch a verdict was given at is checked
again in the transaction that records the call. Knows nothing of how policy judges; it relies on a
verdict being a function of the facts alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from mcpbridge import approvals_gateway as ledger
from mcpbridge.approvals_gateway import CallFacts, Judgement
from mcpbridge.offload import in_database

_MOST: Final = 10_000


class Verdicts:
    """The judgements of one epoch, by the facts they were given for."""

    def __init__(self) -> None:
        self._epoch = -1
        self._found: dict[CallFacts, Judgement] = {}

    async def judge(self, facts: CallFacts, *, epoch: int) -> Judgement:
        """The judgement at `epoch`, or at a newer one that the gate has reached meanwhile."""
        return (await self.judge_all([facts], epoch=epoch))[0]

    async def judge_all(self, facts: Sequence[CallFacts], *, epoch: int) -> list[Judgement]:
        """One judgement for each, all missing ones in one visit to the database."""
        if epoch != self._epoch or len(self._found) + len(facts) > _MOST:
            self._epoch, self._found = epoch, {}
        known = self._found
        missing = [fact for fact in facts if fact not in known]
        fresh: dict[CallFacts, Judgement] = {}
        if missing:
            fresh = dict(zip(missing, await in_database(_judge_all, missing), strict=True))
            known |= {
                fact: found
                for fact, found in fresh.items()
                if found.epoch == epoch and not found.verdict.failure
            }
        return [fresh[fact] if fact in fresh else known[fact] for fact in facts]


def _judge_all(facts: Iterable[CallFacts]) -> list[Judgement]:
    return [ledger.judge(fact) for fact in facts]
