"""`train.py`, and at its end the most memory that it held, in gigabytes."""

import resource

from command_line import exit_status
from train import main

exit_status(main)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)
