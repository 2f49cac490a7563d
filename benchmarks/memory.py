"""`train.py`, and at its end the most memory that it held, in gigabytes.

Keras loads JAX where it is installed, as it is for the peers; a run does without.
"""

import resource
import sys

sys.modules["jax"] = None  # type: ignore[assignment]

from experiment.command_line import exit_with_status  # noqa: E402
from train import main  # noqa: E402

exit_with_status(main)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)
