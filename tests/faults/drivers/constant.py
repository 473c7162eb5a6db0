"""`sakugen …` with one constant of one module changed, so that a wait of a minute can be seen in seconds.

constant.py MODULE:NAME VALUE ARGUMENTS…
"""

import sys
from importlib import import_module
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))

from sakugen.cli.main import main

if __name__ == "__main__":
    module, _, name = sys.argv[1].partition(":")
    kind = type(getattr(import_module(module), name))
    setattr(import_module(module), name, kind(sys.argv[2]))
    sys.argv = ["sakugen", *sys.argv[3:]]
    main()
