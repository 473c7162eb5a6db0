"""Every error as RFC 9457 `application/problem+json`, the framework's own 404, 405 and 422 included."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from registry.canonical import JsonObject, JsonValue, canonical_bytes
from registry.errors import EvidenceUnavailableError, UnknownStatementError

MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class ProblemType:
    """One kind of problem; `docs/api.md` explains each."""

    slug: str
    status: int
    title: str

    @property
    def uri(self) -> str:
        """The type's name for machines: absolute, and not bound to one server's address."""
        return f"urn:sakugen:problem:{self.slug}"


NOT_FOUND = ProblemType("not-found", 404, "There is nothing here")
METHOD_NOT_ALLOWED = ProblemType("method-not-allowed", 405, "This resource does not know that method")
CURSOR_INVALID = ProblemType("cursor-invalid", 400, "The cursor does not belong to this list")
VALIDATION_FAILED = ProblemType("validation-failed", 422, "The request does not fit the description")
EVIDENCE_UNAVAILABLE = ProblemType(
    "evidence-unavailable", 503, "The journal does not give the records of this statement"
)
INTERNAL = ProblemType("internal", 500, "Something went wrong on this side")
HTTP_ERROR = ProblemType("http-error", 400, "The request cannot be served")

ALL = (NOT_FOUND, METHOD_NOT_ALLOWED, CURSOR_INVALID, VALIDATION_FAILED, EVIDENCE_UNAVAILABLE, INTERNAL, HTTP_ERROR)


SCHEMA: Mapping[str, object] = {
    "type": "object",
    "description": "RFC 9457; `type` names one of the problems in docs/api.md",
    "required": ["type", "title", "status", "detail", "instance"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["in", "pointer", "code", "detail"],
                "properties": {
                    "in": {"enum": ["path", "query", "header", "body"]},
                    "pointer": {"type": "string", "format": "json-pointer"},
                    "code": {"type": "string"},
                    "detail": {"type": "string"},
                },
            },
        },
    },
}
"""What a problem document looks like, for the API's description."""


class ProblemError(Exception):
    """Ends a request with a problem."""

    def __init__(self, kind: ProblemType, detail: str) -> None:
        """Keep the kind of problem and one sentence on this occurrence."""
        super().__init__(detail)
        self.kind = kind
        self.detail = detail


def problem(
    request: Request,
    kind: ProblemType,
    detail: str,
    *,
    status: int | None = None,
    errors: Sequence[JsonValue] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Write one problem document."""
    status = kind.status if status is None else status
    body: JsonObject = {
        "type": kind.uri,
        "title": kind.title,
        "status": status,
        "detail": detail,
        "instance": request.url.path,
    }
    if errors is not None:
        body["errors"] = list(errors)
    return Response(canonical_bytes(body), status, headers=dict(headers or {}), media_type=MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Let every error of an application leave it as a problem."""
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(ProblemError, _raised)
    app.add_exception_handler(UnknownStatementError, _unknown_statement)
    app.add_exception_handler(EvidenceUnavailableError, _unavailable)
    app.add_exception_handler(Exception, _internal)


async def _http(request: Request, fault: Exception) -> Response:
    if not isinstance(fault, HTTPException):
        raise TypeError("registered for HTTPException only")
    kind = {404: NOT_FOUND, 405: METHOD_NOT_ALLOWED}.get(fault.status_code, HTTP_ERROR)
    detail = f"{request.method} {request.url.path}: {fault.detail}"
    return problem(request, kind, detail, status=fault.status_code, headers=fault.headers)


async def _validation(request: Request, fault: Exception) -> Response:
    if not isinstance(fault, RequestValidationError):
        raise TypeError("registered for RequestValidationError only")
    errors: list[JsonValue] = []
    for error in fault.errors():
        place, *inner = error["loc"]
        pointer = "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in inner)
        # What was sent is not repeated: it may be a secret that somebody put into the wrong field.
        errors.append({"in": str(place), "pointer": pointer, "code": str(error["type"]), "detail": str(error["msg"])})
    return problem(request, VALIDATION_FAILED, f"{len(errors)} fault(s), listed in `errors`", errors=errors)


async def _raised(request: Request, fault: Exception) -> Response:
    if not isinstance(fault, ProblemError):
        raise TypeError("registered for ProblemError only")
    return problem(request, fault.kind, fault.detail)


async def _unknown_statement(request: Request, fault: Exception) -> Response:
    return problem(request, NOT_FOUND, str(fault))


async def _unavailable(request: Request, fault: Exception) -> Response:
    return problem(request, EVIDENCE_UNAVAILABLE, str(fault), headers={"Retry-After": "60"})


async def _internal(request: Request, fault: Exception) -> Response:  # noqa: ARG001 - never shown: it may hold anything
    return problem(request, INTERNAL, "the server's log says what; nothing was changed")
