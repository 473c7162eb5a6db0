"""How much memory compute takes beside the arrays that it is given.

Runs as a process of its own: `python -m tests.benchmarks.benchkit.peak POINTS DAYS`; writes one line of JSON.
"""

import ctypes
import gc
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path


def main(points: int, days: int) -> None:
    """Compute once on little, so that everything is imported and compiled, then measure."""
    from compute.cache import use_cache_directory

    use_cache_directory(Path(tempfile.gettempdir()) / "sakugen-bench-numba")
    from benchkit.amounts import amounts, arrays_of
    from benchkit.solar_farm import farm

    from compute.engine import compute
    from compute.rulesets import ruleset

    small, made = farm(1, 3), farm(points, days)
    works = {
        "amounts": lambda of: amounts(of, 2),
        "result": lambda of: compute(of.project, of.evidence, of.period, ruleset()),
    }
    for work in works.values():
        work(small)
    found = {f"{name}_bytes": _beside(lambda work=work: work(made)) for name, work in works.items()}
    sys.stdout.write(json.dumps(found | {"arrays_bytes": sum(each.nbytes for each in arrays_of(made.evidence))}))


def _beside(work: Callable[[], object]) -> int:
    """The most that was resident while something ran, less what was before [bytes]."""
    from benchkit.machine import memory_mb

    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # forget the most so far
    before = memory_mb("self")
    work()
    return int((memory_mb("self", "VmHWM") - before) * 2**20)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    main(int(sys.argv[1]), int(sys.argv[2]))
