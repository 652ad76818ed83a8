"""What Placet promises, and the tests that hold it to each promise.

A promise without a test, a test that does not exist, or a test that names no promise fails the
suite (`tests/test_requirements.py`). A test may name its promise itself with
`@pytest.mark.requirement("I7")`.
"""

from tests.requirements import bridge, deciding, invariants, ledger, looking, telling
from tests.requirements.promise import Requirement

SUBJECTS = (
    invariants.PROMISES,
    ledger.PROMISES,
    bridge.PROMISES,
    deciding.PROMISES,
    telling.PROMISES,
    looking.PROMISES,
)
REQUIREMENTS: dict[str, Requirement] = {
    name: promise for subject in SUBJECTS for name, promise in subject.items()
}
