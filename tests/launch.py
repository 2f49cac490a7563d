"""Runs a script or a module as a command does, with the tests' own network and digits.

    python -m tests.launch train.py|compare.py|MODULE ARGUMENTS...

Processes that it spawns import this module first, so that they have both too.
"""

import runpy
import sys
from pathlib import Path

from tests import tiny  # noqa: F401 (names them)

if __name__ == "__main__":
    del sys.argv[0]
    if sys.argv[0].endswith(".py"):
        script = Path(__file__).parents[1] / sys.argv[0]
        code = compile(script.read_bytes(), script, "exec")
        exec(code, {"__name__": "__main__", "__file__": str(script)})
    else:
        runpy.run_module(sys.argv[0], run_name="__main__")
elif __name__ == "__mp_main__":
    from system import processes

    processes.begin_worker()
