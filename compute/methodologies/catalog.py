"""The shelf of methodologies: catalog files in, `Methodology` values out.

A catalog file is strict TOML with `schema = "sakugen.methodology/1"`; its formulas are the module of the same family.
"""

import hashlib
import tomllib
from fractions import Fraction
from functools import cache
from importlib import resources
from types import MappingProxyType, ModuleType
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from compute.errors import MethodologyError
from compute.methodologies import heat_only_boiler, solar_pv, transformer_fleet
from compute.methodologies.shape import Fixed, Methodology, Monitored, Option

_FAMILIES = MappingProxyType({
    "solar-pv": solar_pv,
    "heat-only-boiler": heat_only_boiler,
    "transformer-fleet": transformer_fleet,
})  # fmt: skip


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _OptionModel(_Part):
    value: str
    when: str
    source: str
    mark: Literal["V", "S", "D", "M"]
    default: bool = False

    def build(self) -> Option:
        return Option(Fraction(self.value), self.value, self.when, self.source, self.mark)


class _MonitoredModel(_Part):
    parameter: str
    role: str
    kind: Literal["counter", "running", "energised"]
    measurands: Annotated[tuple[str, ...], Field(min_length=1)]
    unit: str
    quanta_per_unit: Annotated[int, Field(gt=0)]
    required: bool
    ratings: tuple[str, ...]
    description: str
    option: Literal["A", "B", "C"]
    calibrated: bool
    source_of_data: str
    procedure: str
    frequency: str


class _FixedModel(_Part):
    name: str
    unit: str
    description: str
    roles: Annotated[tuple[str, ...], Field(min_length=1)]
    above: str | None = None
    at_least: str | None = None
    at_most: str | None = None
    choice: Literal["listed", "project"]
    option: tuple[_OptionModel, ...] = ()

    def build(self) -> Fixed:
        default = next((option.build() for option in self.option if option.default), None)
        return Fixed(
            name=self.name,
            unit=self.unit,
            description=self.description,
            roles=self.roles,
            above=None if self.above is None else Fraction(self.above),
            at_least=None if self.at_least is None else Fraction(self.at_least),
            at_most=None if self.at_most is None else Fraction(self.at_most),
            choice=self.choice,
            default=default,
            options=tuple(option.build() for option in self.option),
        )


class _CatalogModel(_Part):
    schema_: Literal["sakugen.methodology/1"] = Field(alias="schema")
    id: str
    version: str
    title: str
    based_on: str
    equations: tuple[str, ...]
    monitored: tuple[_MonitoredModel, ...]
    fixed: tuple[_FixedModel, ...]


def methodologies() -> tuple[Methodology, ...]:
    """Every methodology version on the shelf, by id."""
    return tuple(_load(name) for name in sorted(_FAMILIES))


def methodology(methodology_id: str, version: str) -> Methodology:
    """Look a methodology version up.

    Raises:
        MethodologyError: when the shelf does not hold it; says what it holds.
    """
    found = _load(methodology_id) if methodology_id in _FAMILIES else None
    if found is None or found.version != version:
        held = ", ".join(f"{method.id} {method.version}" for method in methodologies())
        raise MethodologyError(f"no methodology {methodology_id!r} version {version!r}; there are: {held}")
    return found


def package_files(methodology_id: str) -> dict[str, bytes]:
    """The files that define a methodology, by name: what a bundle carries and what `digest` is taken over.

    Raises:
        MethodologyError: when the shelf does not hold it.
    """
    if methodology_id not in _FAMILIES:
        raise MethodologyError(f"no methodology {methodology_id!r}; there are: {', '.join(_FAMILIES)}")
    here = resources.files("compute.methodologies")
    stem = _stem(_FAMILIES[methodology_id])
    return {
        f"{stem}.py": here.joinpath(f"{stem}.py").read_bytes(),
        f"{stem}.toml": here.joinpath("catalog", f"{stem}.toml").read_bytes(),
    }


def _stem(family: ModuleType) -> str:
    return family.__name__.rpartition(".")[2]


@cache
def _load(methodology_id: str) -> Methodology:
    family = _FAMILIES[methodology_id]
    files = package_files(methodology_id)
    try:
        model = _CatalogModel.model_validate(tomllib.loads(files[f"{_stem(family)}.toml"].decode()))
    except (tomllib.TOMLDecodeError, ValidationError) as error:
        raise MethodologyError(f"catalog file {_stem(family)}.toml: {error}") from None
    return Methodology(
        id=model.id,
        version=model.version,
        title=model.title,
        based_on=model.based_on,
        equations=model.equations,
        monitored=tuple(Monitored(**spec.model_dump()) for spec in model.monitored),
        fixed=tuple(spec.build() for spec in model.fixed),
        directions=family.DIRECTIONS,
        emissions=family.emissions,
        digest=hashlib.sha256(b"".join(name.encode() + b"\0" + files[name] for name in sorted(files))).hexdigest(),
    )
