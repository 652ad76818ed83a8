"""Property tests here are bounded by their examples, not by the clock of a busy machine.

Every run draws other examples; `EXAMPLES=2000` makes it a long one.
"""

import os

from hypothesis import settings

EXAMPLES = int(os.environ.get("EXAMPLES", "40"))

settings.register_profile("unhurried", deadline=None, max_examples=EXAMPLES)
settings.load_profile("unhurried")
