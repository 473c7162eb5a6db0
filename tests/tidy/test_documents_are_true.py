"""Documents that can be checked are: that they exist, have their parts, and point at something."""

import re
import tomllib

import pytest

DECISION_PARTS = ["Objective", "Is", "Is not", "Why"]
README_PARTS = ["enters", "leaves", "never", "alone"]
CHANGELOG_PARTS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
TEST_NAME = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def test_every_top_folder_says_what_it_is_for(root, files):
    folders = {path.parts[0] for path in files if len(path.parts) > 1 and not path.parts[0].startswith(".")}
    missing = sorted(folder for folder in folders if not (root / folder / "README.md").is_file())
    assert missing == []


def test_every_room_says_what_enters_what_leaves_what_it_never_does_and_how_to_run_it_alone(root):
    rooms = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["importlinter"]["root_packages"]
    silent = []
    for room in rooms:
        readme = root / room / "README.md"
        text = readme.read_text().lower() if readme.is_file() else ""
        silent += [f"{room}: {part}" for part in README_PARTS if part not in text]
    assert silent == []


def test_every_decision_has_its_four_parts_in_order(root):
    for path in sorted((root / "docs" / "decisions").glob("[0-9][0-9][0-9]-*.md")):
        assert re.findall(r"^## (.+)$", path.read_text(), re.MULTILINE) == DECISION_PARTS, path.name


def test_decisions_are_numbered_without_gaps(root):
    numbers = [
        int(path.name[:3]) for path in sorted((root / "docs" / "decisions").glob("*.md")) if path.name != "README.md"
    ]
    assert numbers == list(range(len(numbers)))


def test_the_changelog_keeps_its_form(root):
    text = (root / "CHANGELOG.md").read_text()
    versions = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert versions[0] == "[Unreleased]"
    assert all(re.fullmatch(r"\[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d", version) for version in versions[1:])
    assert set(re.findall(r"^### (.+)$", text, re.MULTILINE)) <= CHANGELOG_PARTS


def test_every_link_to_a_file_of_ours_leads_somewhere(root, texts):
    broken = [
        f"{path}: {target}"
        for path, text in texts
        if path.suffix == ".md"
        for target in LINK.findall(FENCED.sub("", text))
        if "://" not in target and not target.startswith(("#", "mailto:"))
        if not (root / path.parent / target.partition("#")[0]).exists()
    ]
    assert broken == []


def test_every_test_that_a_document_names_exists(root, texts):
    missing = [
        f"{path}: {file}::{name}"
        for path, text in texts
        if path.suffix == ".md"
        for file, name in TEST_NAME.findall(text)
        if not (root / file).is_file() or (name and f"def {name}(" not in (root / file).read_text())
    ]
    assert missing == []


# What the first screen promises has to be a target of the Makefile.
@pytest.mark.parametrize("document", ["README.md", "tests/README.md"])
def test_every_make_target_that_is_named_exists(root, document):
    targets = set(re.findall(r"^([a-z]+):", (root / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:^|`)make ([a-z]+)", (root / document).read_text(), re.MULTILINE))
    assert named
    assert named - targets == set()
