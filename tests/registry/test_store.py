"""A statement store only grows, and only along the table of states."""

import sqlite3

import pytest

from registry.canonical import digest_of
from registry.errors import IllegalTransitionError, StoreBusyError, UnknownStatementError
from registry.states import ALLOWED, MOVES, State, may_move
from registry.store import StatementReader, StatementStore, Who

OPERATOR = Who("operator", "test-operator", 1_000)
TPE = Who("tpe", "test-tpe", 2_000)
DATA = b'{"a":1}'
DIGEST = digest_of(DATA)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "deep" / "statements.sqlite"


def _add(store, data=DATA, project="p1", period="2025"):
    return store.add_draft(
        data, project=project, period=period, signature="h..s", attachments={"project.toml": b"x"}, who=OPERATOR
    )


def test_a_statement_comes_back_as_the_exact_bytes(path):
    with StatementStore(path) as store:
        assert _add(store) == DIGEST
    reader = StatementReader(path)
    assert reader.statement(DIGEST) == DATA
    assert reader.attachments(DIGEST) == {"project.toml": b"x"}
    assert reader.signatures(DIGEST) == {"operator": "h..s"}
    assert reader.row(DIGEST).state is State.DRAFT
    assert [event.to_state for event in reader.events(DIGEST)] == [State.DRAFT]


def test_drawing_the_same_statement_up_twice_changes_nothing(path):
    with StatementStore(path) as store:
        _add(store)
        _add(store)
        assert len(store.rows()) == 1
        assert len(store.events(DIGEST)) == 1


@pytest.mark.parametrize("table", ["statement", "attachment", "signature", "event"])
def test_no_row_is_ever_updated_or_deleted(path, table):
    with StatementStore(path) as store:
        _add(store)
    connection = sqlite3.connect(path)
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        connection.execute(f"DELETE FROM {table}")
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        connection.execute(f"UPDATE {table} SET digest = 'x'")
    connection.close()


def test_one_process_writes_at_a_time(path):
    with StatementStore(path), pytest.raises(StoreBusyError, match="another process"), StatementStore(path):
        pass
    with StatementStore(path) as store:
        _add(store)


def test_a_reader_cannot_write(path):
    with StatementStore(path):
        pass
    with StatementReader(path)._connection() as connection, pytest.raises(sqlite3.OperationalError, match="readonly"):
        connection.execute("INSERT INTO event VALUES (1, 'x', NULL, 'draft', 'operator', 'a', 0, '')")


def test_an_unknown_statement_is_named(path):
    with StatementStore(path) as store:
        for ask in (store.row, store.statement, lambda digest: store.move(digest, State.SUBMITTED, OPERATOR)):
            with pytest.raises(UnknownStatementError, match=DIGEST):
                ask(DIGEST)


def test_a_draft_can_be_submitted_once(path):
    with StatementStore(path) as store:
        _add(store)
        store.move(DIGEST, State.SUBMITTED, OPERATOR)
        assert store.row(DIGEST).state is State.SUBMITTED
        with pytest.raises(IllegalTransitionError, match="is submitted; it cannot become submitted"):
            store.move(DIGEST, State.SUBMITTED, OPERATOR)
        assert len(store.events(DIGEST)) == 2


def test_verified_is_the_third_party_s_word(path):
    with StatementStore(path) as store:
        _add(store)
        with pytest.raises(IllegalTransitionError, match="verified by tpe"):
            store.move(DIGEST, State.VERIFIED, TPE)
        store.move(DIGEST, State.SUBMITTED, OPERATOR)
        with pytest.raises(IllegalTransitionError, match="verified by operator"):
            store.move(DIGEST, State.VERIFIED, OPERATOR)
        store.move(DIGEST, State.VERIFIED, TPE)
        assert store.row(DIGEST).state is State.VERIFIED


def test_every_state_is_reached_and_final_states_are_final():
    assert {move.end for move in MOVES} | {State.DRAFT} == set(State)
    assert {state for state in State if not ALLOWED[state]} == {State.REJECTED, State.WITHDRAWN, State.SUPERSEDED}
    assert not may_move(State.DRAFT, State.VERIFIED, "tpe")


def test_a_list_is_filtered_and_goes_on_behind_a_place(path):
    with StatementStore(path) as store:
        digests = [_add(store, b'{"a":%d}' % n, project=f"p{n % 2}") for n in range(5)]
        store.move(digests[2], State.SUBMITTED, OPERATOR)
        assert [row.digest for row in store.rows()] == digests
        assert [row.digest for row in store.rows(project="p0", state=State.DRAFT)] == [digests[0], digests[4]]
        first, second = store.rows(limit=2)
        assert (first.digest, second.digest) == (digests[0], digests[1])
        assert [row.digest for row in store.rows(after=second.n, limit=2)] == digests[2:4]


def test_writing_needs_the_lock(path):
    with pytest.raises(RuntimeError, match="open the statement store"):
        _add(StatementStore(path))


def test_nothing_can_be_said_of_a_statement_that_is_not_there(path):
    with StatementStore(path) as store, pytest.raises(sqlite3.IntegrityError, match="FOREIGN KEY"):
        store._writer.execute("INSERT INTO signature (digest, role, jws) VALUES ('x', 'operator', 'y')")


def test_every_commit_is_on_disk_before_it_counts(path):
    with StatementStore(path) as store:
        assert store._writer.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert store._writer.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL


def test_the_file_is_closed_when_the_writer_is_done(path):
    with StatementStore(path) as store:
        writer = store._writer
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        writer.execute("SELECT 1")
