"""What the routes serve unchanged, prepared once at start: the documents of projects and keys, with their digests."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from compute.project import ProjectSettings
from metering.config import load_toml
from metering.keys import KeyRing
from registry.canonical import JsonObject, JsonValue, canonical_bytes, digest_of
from registry.config import RegistrySettings
from registry.jwks import jwks


@dataclass(frozen=True, slots=True)
class Document:
    """Bytes that are served as they are."""

    data: bytes
    digest: str

    @classmethod
    def of(cls, value: JsonValue) -> "Document":
        """Write a value in canonical form and name it."""
        data = canonical_bytes(value)
        return cls(data, digest_of(data))


@dataclass(frozen=True, slots=True)
class Documents:
    """Everything that does not change while the process runs."""

    projects: Document
    project: Mapping[str, Document]
    """By project id."""
    keys: Document


def load_documents(settings: RegistrySettings) -> Documents:
    """Read the projects and the public keys.

    Raises:
        ConfigError: when a project file is missing or has faults.
        KeyFileError: when the key file is missing or malformed.
    """
    loaded = [load_toml(path, ProjectSettings) for path in settings.projects]
    projects = {project.id: project for project in sorted(loaded, key=lambda project: project.id)}
    return Documents(
        projects=Document.of({"projects": [_brief(project) for project in projects.values()]}),
        project=MappingProxyType({id_: Document.of(_full(project)) for id_, project in projects.items()}),
        keys=Document.of(jwks(KeyRing.load(settings.keys_file))),
    )


def _brief(project: ProjectSettings) -> JsonObject:
    return {
        "id": project.id,
        "title": project.title,
        "jcm_reference": project.jcm_reference,
        "partner_country": project.partner_country,
        "methodology": {"id": project.methodology, "version": project.methodology_version},
        "crediting_period": {
            "start": project.crediting_period.start.isoformat(),
            "end": project.crediting_period.end.isoformat(),
        },
        "links": {"self": f"/v1/projects/{project.id}", "statements": f"/v1/statements?project_id={project.id}"},
    }


def _full(project: ProjectSettings) -> JsonObject:
    # Without addresses, meters and parameters: those stand in statements, whose exact bytes are signed.
    return {
        **_brief(project),
        "site": project.site,
        "time_zone": project.time_zone,
        "points": [{"id": point.id, "role": point.role} for point in project.point],
        "periods": [
            {"id": period.id, "start": period.start.isoformat(), "end": period.end.isoformat()}
            for period in project.period
        ],
    }
