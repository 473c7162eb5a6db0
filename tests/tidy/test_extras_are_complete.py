"""What a room imports, itself or by another room, its extra installs: services are installed alone in the field."""

import sys
import tomllib
from importlib.metadata import packages_distributions

import grimp
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

# Imported by name, installed by what it belongs to.
COMES_WITH = {
    "anyio": {"fastapi"},
    "pydantic-core": {"pydantic"},
    "starlette": {"fastapi", "nicegui"},
    "urllib3": {"influxdb-client"},
}
# Imported where only whoever has it already comes by: a plugin of pytest, a Parquet file of one's own.
BROUGHT_BY_THE_CALLER = {"simulators": {"pytest", "pyarrow"}}
# Rooms without an extra of their own: every installation has metering; the command line needs all that it starts.
EXTRA_OF = {"metering": None, "sakugen": "up"}
ROOMS = ["metering", "simulators", "gateway", "ingest", "compute", "registry", "dashboards", "sakugen"]


@pytest.fixture(scope="module")
def graph():
    return grimp.build_graph(*ROOMS, include_external_packages=True, exclude_type_checking_imports=True)


@pytest.fixture(scope="module")
def project(root):
    return tomllib.loads((root / "pyproject.toml").read_text())["project"]


def _installed_by(project, extra):
    wanted = list(project["dependencies"]) + (project["optional-dependencies"][extra] if extra else [])
    names = set()
    for requirement in map(Requirement, wanted):
        if requirement.name == project["name"]:
            for other in requirement.extras:
                names |= _installed_by(project, other)
        else:
            names.add(canonicalize_name(requirement.name))
    return names


@pytest.mark.parametrize("room", ROOMS)
def test_the_extra_of_a_room_installs_what_the_room_imports(graph, project, room):
    distributions = packages_distributions()
    imported = {name for name in graph.find_upstream_modules(room, as_package=True) if graph.is_module_squashed(name)}
    needed = {
        canonicalize_name(distributions.get(name, [name])[0])
        for name in imported - set(sys.stdlib_module_names) - set(ROOMS)
    }
    installed = _installed_by(project, EXTRA_OF.get(room, room))
    missing = {name for name in needed if name not in installed and not COMES_WITH.get(name, set()) & installed}
    assert missing == BROUGHT_BY_THE_CALLER.get(room, set())


def test_every_requirement_is_pinned_in_the_constraints(root, project):
    pinned = {
        canonicalize_name(line.partition("==")[0])
        for line in (root / "constraints.txt").read_text().splitlines()
        if line and not line.startswith("#")
    }
    every = set().union(*(_installed_by(project, extra) for extra in project["optional-dependencies"]))
    assert every - pinned == set()
