"""`sakugen …` that ends itself by SIGKILL at a named point: killable.py MODULE:CLASS.METHOD before|after N ARGUMENTS…

The N-th pass of the method is the last thing that the process begins ("before") or finishes ("after"). What is killed
is the product as it is: it knows of no point.
"""

import functools
import itertools
import os
import signal
import sys
from importlib import import_module
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))

from sakugen.cli.main import main


def arm(point: str, when: str, nth: int) -> None:
    """Wrap a method so that its n-th pass is fatal."""
    module, _, name = point.partition(":")
    *owners, method = name.split(".")
    owner = functools.reduce(getattr, owners, import_module(module))
    original = getattr(owner, method)
    passes = itertools.count(1)

    @functools.wraps(original)
    def fatal(*args, **kwargs):
        last = next(passes) == nth
        if last and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = original(*args, **kwargs)
        if last:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(owner, method, fatal)


if __name__ == "__main__":
    arm(sys.argv[1], sys.argv[2], int(sys.argv[3]))
    sys.argv = ["sakugen", *sys.argv[4:]]
    main()
