"""One TOML file per process: read it, check it against its model, and say where each fault stands.

In goes a path and a pydantic model, out comes the model or a `ConfigError` with every fault: file, line, key, value,
what is allowed. Nothing is started before the whole file is clean.
"""

import re
import tomllib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from metering.errors import SakugenError
from metering.toml_lines import lines_by_path

ModelT = TypeVar("ModelT", bound=BaseModel)
_VALUE_LIMIT = 80
_UNKNOWN_KEY = frozenset({"extra_forbidden", "unexpected_keyword_argument"})
"""What pydantic calls it in a model, and in a dataclass."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with a configuration file."""

    file: str
    line: int
    key: str
    """The path of the key, for example "device[2].unit_id"."""
    value: str
    """What stands there, shortened."""
    problem: str
    """What is wrong and what is allowed."""

    def __str__(self) -> str:
        """One line, `file:line: key = value: problem`."""
        shown = f" = {self.value}" if self.value else ""
        return f"{self.file}:{self.line}: {self.key}{shown}: {self.problem}"

    def as_dict(self) -> dict[str, str | int]:
        """The same for scripts."""
        return asdict(self)


class ConfigError(SakugenError):
    """A configuration file with faults."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        """Keep every fault, not only the first."""
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = tuple(faults)


def load_toml(path: Path, model: type[ModelT]) -> ModelT:
    """Read a configuration file.

    Relative paths in it stay as written; whoever opens them resolves them against the working directory.

    Raises:
        ConfigError: when the file is missing, not TOML, or does not fit the model.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        problem = error.strerror if isinstance(error, OSError) else "not UTF-8"
        hint = "`sakugen config sample` prints a commented one"
        raise ConfigError([Fault(str(path), 0, "(file)", "", f"{problem}; {hint}")]) from None
    return parse_toml(text, model, str(path))


def parse_toml(text: str, model: type[ModelT], file: str) -> ModelT:
    """Read configuration from text; as `load_toml`.

    Raises:
        ConfigError: when the text is not TOML or does not fit the model.
    """
    try:
        data = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # also for numbers that are too long and nesting that is too deep
        found = re.search(r"line (\d+)", str(error))
        line = int(found[1]) if found else text.count("\n") + 1
        raise ConfigError([Fault(file, line, "(TOML)", "", str(error))]) from None
    try:
        return model.model_validate(data)
    except ValidationError as error:
        faults = [_fault(detail, text, file, model) for detail in error.errors(include_url=False)]
        raise ConfigError(sorted(faults, key=lambda fault: fault.line)) from None


def _fault(detail: ErrorDetails, text: str, file: str, model: type[BaseModel]) -> Fault:
    location = detail["loc"]
    key = "".join(f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in location).lstrip(".")
    value = "" if detail["type"] == "missing" or isinstance(detail["input"], dict | list) else repr(detail["input"])
    problem = detail["msg"].removeprefix("Value error, ")
    if detail["type"] in _UNKNOWN_KEY:
        problem = f"unknown key; allowed here: {', '.join(_siblings(model, location)) or 'none'}"
    elif detail["type"] == "missing":
        problem = "missing; this key is required"
    return Fault(file, line_of(text, location), key or "(file)", value[:_VALUE_LIMIT], problem)


def _siblings(model: type, location: tuple[int | str, ...]) -> list[str]:
    current = _fields(model)
    for part in location[:-1]:
        if isinstance(part, int):
            continue
        field = next((f for name, f in current.items() if part in (name, f.alias)), None)
        if field is None:
            return []
        current = _fields_in(field.annotation)
    return sorted(field.alias or name for name, field in current.items())


def _fields(table: object) -> dict[str, FieldInfo]:
    """The keys of a model or of a dataclass of pydantic; none of anything else."""
    return getattr(table, "__pydantic_fields__", {}) if isinstance(table, type) else {}


def _fields_in(annotation: object) -> dict[str, FieldInfo]:
    """The keys of the first table that an annotation is made of."""
    return _fields(annotation) or next(filter(None, map(_fields_in, getattr(annotation, "__args__", ()))), {})


def line_of(text: str, location: Sequence[int | str]) -> int:
    """Find the line of a TOML text where a key stands.

    Args:
        text: TOML that can be read.
        location: keys and, for arrays, 0-based positions.

    Returns:
        The line, from 1; that of the nearest part around it when the key itself is absent.
    """
    lines = lines_by_path(text)
    wanted = tuple(location)
    while wanted not in lines:
        wanted = wanted[:-1]
    return lines[wanted]
