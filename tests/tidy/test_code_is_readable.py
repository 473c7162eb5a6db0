"""What the style asks of every Python file and neither ruff nor mypy can say."""

import ast
import re
import sys

import pytest

MAX_FILE_LINES = 500
MAX_FUNCTION_LINES = 60
MIN_TEST_NAME_WORDS = 4
BROAD = {"Exception", "BaseException"}


def _functions(tree):
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def _body_lines(function, lines):
    """Lines of code: without the signature, the docstring, blank lines and comments."""
    body = function.body
    if isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
        body = body[1:]
    if not body:
        return 0
    code = lines[body[0].lineno - 1 : body[-1].end_lineno]
    return sum(1 for line in code if line.strip() and not line.strip().startswith("#"))


def _says(marker, lines, first, last):
    return any(re.search(rf"#.*\b{marker}: \S+", line) for line in lines[max(first - 1, 0) : last])


def test_no_file_is_longer_than_five_hundred_lines(python_files):
    long = {
        path: len(lines)
        for path, lines, _ in python_files
        # A table (registers, samples) is looked up, not read: its file says so in a comment near the top.
        if len(lines) > MAX_FILE_LINES and not _says("table", lines, 1, 20)
    }
    assert long == {}, "split them, or say `# table: what of` when it is one"


def test_no_function_is_longer_than_sixty_lines_without_a_reason(python_files):
    long = [
        f"{path}:{function.lineno} {function.name}"
        for path, lines, tree in python_files
        for function in _functions(tree)
        if _body_lines(function, lines) > MAX_FUNCTION_LINES
        and not _says("long", lines, function.lineno - 1, function.end_lineno)
    ]
    assert long == [], "split them, or say `# long: why` in it"


def test_a_broad_except_stands_only_in_a_main_loop(python_files):
    broad = [
        f"{path}:{handler.lineno}"
        for path, lines, tree in python_files
        for handler in ast.walk(tree)
        if isinstance(handler, ast.ExceptHandler)
        and _catches_everything(handler)
        and not _hands_on(handler)
        and not _says("main loop", lines, handler.lineno - 1, handler.lineno)
    ]
    assert broad == [], "name the exceptions; a process's one main loop says `# main loop: what happens then`"


def _hands_on(handler):
    # Roll back, then let it pass.
    return isinstance(handler.body[-1], ast.Raise) and handler.body[-1].exc is None


def _catches_everything(handler):
    caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(kind is None or (isinstance(kind, ast.Name) and kind.id in BROAD) for kind in caught)


def test_every_source_file_says_what_it_is_on_line_one(python_files):
    silent = [
        path
        for path, lines, tree in python_files
        if lines and not (ast.get_docstring(tree) and lines[0].startswith('"""'))
    ]
    assert silent == []


def test_no_package_marker_stands_under_tests(files):
    assert [path for path in files if path.parts[0] == "tests" and path.name == "__init__.py"] == []


def test_every_test_name_is_a_sentence(python_files):
    short = [
        f"{path}:{function.lineno} {function.name}"
        for path, _, tree in python_files
        if path.parts[0] == "tests"
        for function in _functions(tree)
        if function.name.startswith("test_") and len(function.name.split("_")) - 1 < MIN_TEST_NAME_WORDS
    ]
    assert short == [], f"say what holds, in {MIN_TEST_NAME_WORDS} words or more"


def test_no_test_sleeps_instead_of_waiting_for_something(python_files):
    sleeping = [
        f"{path}:{node.lineno}"
        for path, _, tree in python_files
        if path.parts[0] == "tests" and path.name != "conftest.py"
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and _is_sleep(node)
    ]
    assert sleeping == [], "use wait_until, or an event with a deadline"


def _is_sleep(call):
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    yields_only = len(call.args) == 1 and isinstance(call.args[0], ast.Constant) and call.args[0].value == 0
    return name == "sleep" and not yields_only


# import-linter forbids by name; "the standard library only" has to be said the other way round.
@pytest.mark.parametrize(
    ("room", "allowed"),
    [
        pytest.param("metering", {"metering", "pydantic", "pydantic_core", "cryptography"}, id="metering"),
        pytest.param("dashboards/grafana", {"dashboards"}, id="the Grafana builder"),
    ],
)
def test_a_room_that_must_stay_small_imports_nothing_else(python_files, room, allowed):
    foreign = [
        f"{path}: {name}"
        for path, _, tree in python_files
        if path.as_posix().startswith(f"{room}/")
        for name in _imported(tree)
        if name not in allowed and name not in sys.stdlib_module_names
    ]
    assert foreign == []


def _imported(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module.split(".")[0]
