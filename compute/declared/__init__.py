"""Declared values: evidence that no meter gives, one signed TOML file each, in a folder beside project.toml.

`kinds` says what each kind holds, `files` reads them and says which of them a correction has replaced.
"""

from compute.declared.files import (
    FILE_NAME,
    FOLDER,
    SIGNATURE_SUFFIX,
    Declared,
    declared_beside,
    in_force,
    load_declared,
    of_kind,
    parse_declaration,
    parse_declared,
)
from compute.declared.kinds import (
    MODELS,
    SCHEMA,
    Calibration,
    CtChange,
    Declaration,
    IntegrityCheck,
    MeterExchange,
    MeterName,
    RegisterReading,
    Remap,
    Value,
)

__all__ = [
    "FILE_NAME",
    "FOLDER",
    "MODELS",
    "SCHEMA",
    "SIGNATURE_SUFFIX",
    "Calibration",
    "CtChange",
    "Declaration",
    "Declared",
    "IntegrityCheck",
    "MeterExchange",
    "MeterName",
    "RegisterReading",
    "Remap",
    "Value",
    "declared_beside",
    "in_force",
    "load_declared",
    "of_kind",
    "parse_declaration",
    "parse_declared",
]
