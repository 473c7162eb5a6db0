"""How kernels are compiled: once, into a cache, and without holding Python's lock."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

_Function = TypeVar("_Function", bound=Callable[..., object])
_HOW: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy"}
_NO_COUNT: dict[str, Any] = {"_nrt": False}


def compiled(function: _Function) -> _Function:
    """Compile a kernel that makes no array.

    It then need not count who holds its arrays, which took ten times as long as the work on a row.
    """
    return cast("_Function", njit(**_HOW, **_NO_COUNT)(function))


def allocating(function: _Function) -> _Function:
    """Compile a kernel that makes arrays."""
    return cast("_Function", njit(**_HOW)(function))
