"""What a promise is."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Requirement:
    """One promise in one sentence, with the tests by file that would notice it broken."""

    text: str
    tests: dict[str, tuple[str, ...]]
