"""The HTTP API, over a real socket: stored bytes, strong ETags, and every error a problem document."""

import asyncio
import base64
import hashlib
import json
import socket
import threading
from pathlib import Path

import httpx
import pytest

from metering.errors import KeyFileError
from registry.api.openapi import openapi_text
from registry.api.problems import ALL
from registry.api.serve import listen, serve
from registry.check import check_bundle
from registry.draft import submit_statement
from registry.errors import AddressInUseError
from registry.store import StatementStore

ROOT = Path(__file__).parents[2]
NOWHERE = "0" * 64


class Serving:
    """The API in a thread of its own."""

    def __init__(self, settings):
        self.settings = settings
        self.url = ""
        self._up = threading.Event()
        self._stop = None
        self._loop = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))

    async def _run(self):
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        await serve(self.settings, self._stop, self._ready)

    def _ready(self, url):
        self.url = url
        self._up.set()

    def __enter__(self):
        self._thread.start()
        assert self._up.wait(10)
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)
        assert not self._thread.is_alive()


@pytest.fixture
def api(world):
    with Serving(world.settings) as serving, httpx.Client(base_url=serving.url, trust_env=False) as client:
        yield client


@pytest.fixture(scope="module")
def bare(new_world):
    """One server without statements, for questions that change nothing."""
    with Serving(new_world("bare").settings) as serving, httpx.Client(base_url=serving.url, trust_env=False) as client:
        yield client


def _problem(response, status, slug):
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert body["type"] == f"urn:sakugen:problem:{slug}"
    assert body["status"] == status
    assert body["title"]
    assert body["detail"]
    return body


def _fits_its_digest(response):
    expected = base64.b64encode(hashlib.sha256(response.content).digest()).decode()
    assert response.headers["content-digest"] == f"sha-256=:{expected}:"
    return hashlib.sha256(response.content).hexdigest()


def test_health_is_answered_before_there_is_any_statement(bare):
    assert bare.get("/health").json() == {"status": "ok"}
    assert bare.get("/v1/statements").json() == {"statements": [], "next": None}


def test_projects_are_listed_and_shown_without_meters_or_parameters(bare):
    (listed,) = bare.get("/v1/projects").json()["projects"]
    assert listed["id"] == "test-solar"
    assert listed["methodology"] == {"id": "solar-pv", "version": "1.0"}
    shown = bare.get(listed["links"]["self"]).json()
    assert shown["points"] == [{"id": "ac-bus", "role": "generation"}]
    assert shown["periods"] == [{"id": "new-year", "start": "2025-12-31", "end": "2026-01-02"}]
    assert "R1-0001" not in json.dumps(shown)


def test_a_statement_is_served_as_its_exact_bytes_under_its_digest(api, world):
    digest = world.draft()
    response = api.get(f"/v1/statements/{digest}")
    assert _fits_its_digest(response) == digest
    assert response.headers["etag"] == f'"{digest}"'
    assert response.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert response.headers["content-type"] == "application/json"


@pytest.mark.parametrize("tag", ['"{}"', 'W/"{}"', '"other", "{}"', "*"])
def test_what_the_caller_has_is_not_sent_again(api, world, tag):
    digest = world.draft()
    response = api.get(f"/v1/statements/{digest}", headers={"If-None-Match": tag.format(digest)})
    assert (response.status_code, response.content) == (304, b"")
    assert response.headers["etag"] == f'"{digest}"'


def test_what_the_caller_does_not_have_is_sent(api, world):
    digest = world.draft()
    assert api.get(f"/v1/statements/{digest}", headers={"If-None-Match": '"other"'}).status_code == 200


def test_a_bundle_is_downloaded_and_holds(api, world, signers, tmp_path):
    digest = world.draft()
    response = api.get(f"/v1/statements/{digest}/bundle")
    assert response.headers["content-type"] == "application/zip"
    assert response.headers["content-disposition"] == f'attachment; filename="sakugen-{digest[:16]}.zip"'
    sha256 = _fits_its_digest(response)
    assert response.headers["etag"] == f'"{sha256}"'
    assert "immutable" in response.headers["cache-control"]
    path = tmp_path / "downloaded.zip"
    path.write_bytes(response.content)
    report = check_bundle(path, signers.ring)
    assert report.ok
    assert report.claim.digest == digest
    again = api.get(f"/v1/statements/{digest}/bundle", headers={"If-None-Match": f'"{sha256}"'})
    assert again.status_code == 304


def test_a_part_of_a_bundle_has_no_digest_of_the_whole(api, world):
    digest = world.draft()
    response = api.get(f"/v1/statements/{digest}/bundle", headers={"Range": "bytes=0-9"})
    assert response.status_code == 206
    assert "content-digest" not in response.headers


def test_a_bundle_whose_journal_is_gone_is_unavailable_and_may_be_asked_for_again(api, world, plant):
    digest = world.draft()
    world.journal_file.rename(world.folder / "moved.sqlite")
    world.take([plant.birth()])
    response = api.get(f"/v1/statements/{digest}/bundle")
    assert "rests on 18 records" in _problem(response, 503, "evidence-unavailable")["detail"]
    assert response.headers["retry-after"] == "60"


def test_statements_are_listed_with_their_state_now(api, world):
    digest = world.draft()
    (listed,) = api.get("/v1/statements").json()["statements"]
    assert listed == {
        "digest": digest,
        "project_id": "test-solar",
        "period": "new-year",
        "state": "draft",
        "size_bytes": len(api.get(listed["links"]["self"]).content),
        "links": {"self": f"/v1/statements/{digest}", "bundle": f"/v1/statements/{digest}/bundle"},
    }
    with StatementStore(world.settings.store_file) as store:
        submit_statement(digest, "test-operator", store, world.clock)
    assert api.get("/v1/statements?state=draft").json()["statements"] == []
    assert len(api.get("/v1/statements?state=submitted&project_id=test-solar").json()["statements"]) == 1
    assert api.get("/v1/statements?project_id=other").json()["statements"] == []


def test_pages_lead_to_each_other_while_rows_arrive(api, world):
    digests = [world.draft()]
    digests.append(world.draft(supersedes=digests[0]))
    digests.append(world.draft(supersedes=digests[1]))
    page = api.get("/v1/statements?limit=2&project_id=test-solar").json()
    digests.append(world.draft(supersedes=digests[2]))
    seen = [row["digest"] for row in page["statements"]]
    assert page["next"].startswith("/v1/statements?project_id=test-solar&limit=2&cursor=")
    page = api.get(page["next"]).json()
    seen += [row["digest"] for row in page["statements"]]
    assert seen == digests
    assert page["next"] is None


@pytest.mark.parametrize("cursor", ["x", "AAAA", "é", "AAAAAAAAAAAAAAAAAAAAAA"])
def test_a_cursor_that_we_did_not_make_is_refused(bare, cursor):
    _problem(bare.get("/v1/statements", params={"cursor": cursor}), 400, "cursor-invalid")


def test_a_cursor_belongs_to_its_question(api, world):
    world.draft(supersedes=world.draft())
    following = api.get("/v1/statements?limit=1").json()["next"]
    _problem(api.get(f"{following}&state=draft"), 400, "cursor-invalid")


def test_the_key_set_names_every_key_with_its_role(bare):
    keys = bare.get("/.well-known/jwks.json").json()["keys"]
    assert {key["role"] for key in keys} == {"gateway", "operator"}
    assert all("d" not in key for key in keys)


def test_unknown_things_are_not_found_and_told_as_problems(bare):
    assert _problem(bare.get("/v1/nothing"), 404, "not-found")["instance"] == "/v1/nothing"
    assert "no project 'x'" in _problem(bare.get("/v1/projects/x"), 404, "not-found")["detail"]
    assert NOWHERE in _problem(bare.get(f"/v1/statements/{NOWHERE}"), 404, "not-found")["detail"]
    _problem(bare.get(f"/v1/statements/{NOWHERE}/bundle"), 404, "not-found")


def test_another_method_is_refused_with_those_allowed(bare):
    response = bare.post("/v1/statements")
    _problem(response, 405, "method-not-allowed")
    assert response.headers["allow"] == "GET"


@pytest.mark.parametrize(
    ("path", "place", "pointer"),
    [
        ("/v1/statements?limit=0", "query", "/limit"),
        ("/v1/statements?limit=201", "query", "/limit"),
        ("/v1/statements?limit=x", "query", "/limit"),
        ("/v1/statements?state=issued", "query", "/state"),
        ("/v1/statements?stat=draft", "query", "/stat"),
        ("/v1/statements?a/b~c=1", "query", "/a~1b~0c"),
        ("/v1/projects?x=1", "query", "/x"),
        ("/v1/projects/test-solar?x=1", "query", "/x"),
        ("/health?x=1", "query", "/x"),
        ("/.well-known/jwks.json?x=1", "query", "/x"),
        (f"/v1/statements/{NOWHERE}?x=1", "query", "/x"),
        (f"/v1/statements/{NOWHERE}/bundle?x=1", "query", "/x"),
        ("/v1/statements/ABC", "path", "/digest"),
        ("/v1/statements/ABC/bundle", "path", "/digest"),
    ],
)
def test_what_does_not_fit_is_named_by_pointer_and_never_repeated(bare, path, place, pointer):
    body = _problem(bare.get(path), 422, "validation-failed")
    (error,) = body["errors"]
    assert (error["in"], error["pointer"]) == (place, pointer)
    assert error["code"]
    assert "input" not in error


def test_a_fault_of_ours_shows_nothing_of_its_inside(api, world):
    world.settings.store_file.unlink()
    body = _problem(api.get("/v1/statements"), 500, "internal")
    assert "sqlite" not in json.dumps(body)


def test_a_registry_starts_before_its_first_statement_and_keeps_what_is_there(world):
    digest = world.draft()
    with Serving(world.settings) as serving, httpx.Client(base_url=serving.url, trust_env=False) as client:
        assert client.get(f"/v1/statements/{digest}").status_code == 200
    assert serving.url.startswith("http://127.0.0.1:")


def test_a_taken_port_is_told_with_what_to_do(world):
    with listen(world.settings) as listener:
        listener.listen()
        taken = world.settings.model_copy(update={"port": listener.getsockname()[1]})
        with pytest.raises(
            AddressInUseError, match=r"the registry API cannot listen on 127\.0\.0\.1:\d+: .*set `port`"
        ):
            listen(taken)


def test_keys_that_cannot_be_read_stop_the_start(world):
    world.keys_file.unlink()

    async def run():
        await serve(world.settings, asyncio.Event(), lambda _: None)

    with pytest.raises(KeyFileError, match=r"keys\.toml"):
        asyncio.run(run())


def test_whoever_connects_before_the_server_runs_waits_and_is_not_refused(world):
    with listen(world.settings) as listener:
        socket.create_connection(listener.getsockname(), timeout=5).close()


def test_the_committed_description_is_the_one_that_is_served(bare):
    assert json.loads((ROOT / "docs" / "openapi.json").read_text()) == json.loads(openapi_text())
    served = bare.get("/openapi.json").json()
    assert served == json.loads(openapi_text())
    assert served["openapi"].startswith("3.1")
    assert "Problem" in served["components"]["schemas"]


def test_every_problem_type_is_explained():
    text = (ROOT / "docs" / "api.md").read_text()
    assert [kind.uri for kind in ALL if kind.uri not in text] == []
