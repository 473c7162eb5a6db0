"""Where compiled kernels are kept: numba needs a writable directory, even when the code lies on a read-only root."""

import os
from pathlib import Path


def use_cache_directory(data_dir: Path) -> Path:
    """Let numba keep its compiled code below a data directory; call before `compute.kernels` is first imported.

    A NUMBA_CACHE_DIR that is already set wins.

    Args:
        data_dir: the data directory of the process; created when absent.

    Returns:
        The directory in use.
    """
    chosen = Path(os.environ.setdefault("NUMBA_CACHE_DIR", str(data_dir / "numba")))
    chosen.mkdir(parents=True, exist_ok=True)
    return chosen
