"""Settings in, the HTTP application out: projects, statements, bundles and keys for registries that pull.

Every route is `async def` and answers with stored bytes: no model is serialised and no thread is changed on the way,
except where a bundle has to be put together for the first time.
"""

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlencode

import anyio.to_thread
from fastapi import APIRouter, Depends, FastAPI, Path, Query, Request, Response
from fastapi.responses import FileResponse
from pydantic import BaseModel, ConfigDict, Field

from ingest.store.reader import JournalReader
from registry.api.cursor import decode_cursor, encode_cursor
from registry.api.documents import Document, Documents, load_documents
from registry.api.problems import MEDIA_TYPE, NOT_FOUND, SCHEMA, ProblemError, install
from registry.canonical import JsonObject
from registry.config import RegistrySettings
from registry.draft import finished_bundle
from registry.states import State
from registry.store import StatementReader, StatementRow, StatementStore

API_VERSION = "1.0.0"
_FOREVER = "public, max-age=31536000, immutable"
_ASK_AGAIN = "no-cache"
_BAD = {
    "description": "A problem (RFC 9457)",
    "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
}
_JSON = {"content": {"application/json": {"schema": {"type": "object"}}}}

Digest = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$", description="SHA-256 of the statement's exact bytes")]


class NoQuery(BaseModel):
    """A resource that takes no query parameters, so that a misspelt one is told instead of ignored."""

    model_config = ConfigDict(extra="forbid")


class StatementQuery(BaseModel):
    """What a list of statements may be asked for."""

    model_config = ConfigDict(extra="forbid")

    project_id: Annotated[str, Field(max_length=64)] | None = None
    state: State | None = None
    cursor: Annotated[str, Field(max_length=64)] | None = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50

    @property
    def question(self) -> str:
        """The filters as text: what a cursor belongs to."""
        return f"{self.project_id}\n{self.state}"


@dataclass(frozen=True, slots=True)
class Resources:
    """What the routes read from."""

    settings: RegistrySettings
    documents: Documents
    statements: StatementReader
    journal: JournalReader


def _resources(request: Request) -> Resources:
    resources = request.app.state.resources
    if not isinstance(resources, Resources):
        raise TypeError("the application was not started")
    return resources


Reads = Annotated[Resources, Depends(_resources)]
Nothing = Annotated[NoQuery, Query()]
router = APIRouter(responses={422: _BAD})


class _Application(FastAPI):
    def openapi(self) -> dict[str, Any]:
        """Describe the API (OpenAPI 3.1), with the problem document that every error has."""
        if self.openapi_schema is None:
            document = super().openapi()
            document.setdefault("components", {}).setdefault("schemas", {})["Problem"] = SCHEMA
        return super().openapi()


def create_app(settings: RegistrySettings) -> FastAPI:
    """Make the application; files are opened when it is started, not here."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        if not settings.store_file.exists():
            with StatementStore(settings.store_file):  # a registry may run before its first statement
                pass
        app.state.resources = Resources(
            settings=settings,
            documents=load_documents(settings),
            statements=StatementReader(settings.store_file),
            journal=JournalReader(settings.journal),
        )
        yield

    app = _Application(
        title="Sakugen registry API",
        version=API_VERSION,
        summary="Statements of JCM emission reductions, with everything needed to check them offline",
        lifespan=lifespan,
        docs_url=None,  # the page would load its scripts from elsewhere
        redoc_url=None,
    )
    install(app)
    app.include_router(router)
    return app


@router.get("/health", summary="Whether this process can serve", responses={200: _JSON})
async def health(reads: Reads, _: Nothing) -> Response:
    """Answer once the statement store can be read."""
    reads.statements.rows(limit=1)
    return Response(b'{"status":"ok"}', media_type="application/json", headers={"Cache-Control": "no-store"})


@router.get("/.well-known/jwks.json", summary="Every key ever used, as a JSON Web Key Set", responses={200: _JSON})
async def key_set(request: Request, reads: Reads, _: Nothing) -> Response:
    """Serve public keys with their roles and validity. Do not take trust roots from here alone: see docs/verify.md."""
    return _document(request, reads.documents.keys)


@router.get("/v1/projects", summary="All projects", responses={200: _JSON})
async def projects(request: Request, reads: Reads, _: Nothing) -> Response:
    """List the projects that this registry serves."""
    return _document(request, reads.documents.projects)


@router.get("/v1/projects/{project_id}", summary="One project", responses={200: _JSON, 404: _BAD})
async def project(
    request: Request, reads: Reads, project_id: Annotated[str, Path(max_length=64)], _: Nothing
) -> Response:
    """Serve one project: its points with their roles and its monitoring periods."""
    document = reads.documents.project.get(project_id)
    if document is None:
        raise ProblemError(NOT_FOUND, f"no project {project_id!r}; `GET /v1/projects` lists those that are")
    return _document(request, document)


@router.get("/v1/statements", summary="Statements, oldest first, a page at a time", responses={200: _JSON, 400: _BAD})
async def statements(request: Request, reads: Reads, query: Annotated[StatementQuery, Query()]) -> Response:
    """List statements with their state now; `next` leads to the following page while there is one."""
    after = 0 if query.cursor is None else decode_cursor(query.cursor, query.question)
    rows = reads.statements.rows(project=query.project_id, state=query.state, after=after, limit=query.limit + 1)
    page, more = rows[: query.limit], len(rows) > query.limit
    following = None
    if more:
        asked = query.model_dump(mode="json", exclude_none=True, exclude_unset=True)
        asked["cursor"] = encode_cursor(page[-1].n, query.question)
        following = f"{request.url.path}?{urlencode(asked)}"
    return _document(request, Document.of({"statements": [_listed(row) for row in page], "next": following}))


@router.get(
    "/v1/statements/{digest}", summary="The exact bytes of a statement", responses={200: _JSON, 304: {}, 404: _BAD}
)
async def statement(request: Request, reads: Reads, digest: Digest, _: Nothing) -> Response:
    """Serve the canonical JSON whose SHA-256 is the statement's name."""
    return _immutable(request, reads.statements.statement(digest), digest)


@router.get(
    "/v1/statements/{digest}/bundle",
    summary="Everything needed to check a statement offline, as a zip file",
    responses={200: {"content": {"application/zip": {}}}, 304: {}, 404: _BAD, 503: _BAD},
)
async def bundle(request: Request, reads: Reads, digest: Digest, _: Nothing) -> Response:
    """Serve the bundle; the first request puts it together from the journal."""
    path = await anyio.to_thread.run_sync(
        finished_bundle, reads.statements, reads.journal, digest, reads.settings.bundle_dir
    )
    name = path.name.split(".")[1]
    headers = _headers(name, _FOREVER)
    if _is_known(request, name):
        return Response(status_code=304, headers=headers)
    headers["Content-Disposition"] = f'attachment; filename="sakugen-{digest[:16]}.zip"'
    if "range" not in request.headers:  # the digest is that of the whole
        headers |= _content_digest(name)
    return FileResponse(path, media_type="application/zip", headers=headers)


def _listed(row: StatementRow) -> JsonObject:
    return {
        "digest": row.digest,
        "project_id": row.project,
        "period": row.period,
        "state": row.state.value,
        "size_bytes": row.size_bytes,
        "links": {"self": f"/v1/statements/{row.digest}", "bundle": f"/v1/statements/{row.digest}/bundle"},
    }


def _document(request: Request, document: Document) -> Response:
    return _bytes(request, document.data, document.digest, _ASK_AGAIN)


def _immutable(request: Request, data: bytes, digest: str) -> Response:
    return _bytes(request, data, digest, _FOREVER)


def _bytes(request: Request, data: bytes, digest: str, cache: str) -> Response:
    headers = _headers(digest, cache)
    if _is_known(request, digest):
        return Response(status_code=304, headers=headers)
    return Response(data, media_type="application/json", headers=headers | _content_digest(digest))


def _headers(digest: str, cache: str) -> dict[str, str]:
    return {"ETag": f'"{digest}"', "Cache-Control": cache}


def _content_digest(digest: str) -> dict[str, str]:
    return {"Content-Digest": f"sha-256=:{base64.b64encode(bytes.fromhex(digest)).decode()}:"}  # RFC 9530


def _is_known(request: Request, digest: str) -> bool:
    asked = request.headers.get("if-none-match", "")
    return asked.strip() == "*" or f'"{digest}"' in (tag.strip().removeprefix("W/") for tag in asked.split(","))
