"""Where compiled kernels are kept: numba needs a writable directory, even when the code lies on a read-only root."""

import hashlib
import os
from pathlib import Path

_KERNELS = Path(__file__).parent / "kernels"


def use_cache_directory(data_dir: Path) -> Path:
    """Let numba keep its compiled code below a data directory; call before a kernel is first imported.

    A NUMBA_CACHE_DIR that is already set wins. Other kernels have another directory: numba looks only whether the file
    of a function is the one that it compiled, not whether a file is that the function calls into.

    Args:
        data_dir: the data directory of the process; created when absent.

    Returns:
        The directory in use.
    """
    sources = hashlib.sha256(b"".join(file.read_bytes() for file in sorted(_KERNELS.glob("*.py"))))
    chosen = Path(os.environ.setdefault("NUMBA_CACHE_DIR", str(data_dir / "numba" / sources.hexdigest()[:16])))
    chosen.mkdir(parents=True, exist_ok=True)
    return chosen
