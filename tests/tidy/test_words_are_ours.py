"""One name for one thing, and nothing in the tree that is true on one machine only."""

import re

import pytest

# Word not to use: the word of the vocabulary to use in its place.
SYNONYMS = {
    r"baselines?": "reference (emissions)",
    r"data ?points?": "reading",
    r"carbon savings?|emission savings?": "emission reductions",
    r"time ?buckets?": "interval",
}
# Quoting another document, in quotation marks or as code, is not using its word.
QUOTED = re.compile(r"`[^`]*`|\"[^\"\n]*\"|“[^”]*”")

ONE_MACHINE = {
    "a path of one machine": re.compile(r"(?<![\w.~*-])/(?:work|root|tmp|home/\w+|Users/\w+|opt/wheels)/"),
    "the address of a package index": re.compile(r"index-url|pypi\.org|pythonhosted|/simple/|registry\.npmjs"),
}


@pytest.mark.parametrize("synonym", SYNONYMS)
def test_a_thing_is_called_by_its_one_name(texts, synonym):
    # A hyphen before it makes it a part of something else's name, as in the style class items-baseline.
    word = re.compile(rf"(?<![a-z-])(?:{synonym})(?![a-z])", re.IGNORECASE)
    used = [
        f"{path}:{number}"
        for path, text in texts
        for number, line in enumerate(text.splitlines(), start=1)
        if word.search(QUOTED.sub("", line) if path.suffix == ".md" else line)
    ]
    assert used == [], f"say {SYNONYMS[synonym]}"


@pytest.mark.parametrize("what", ONE_MACHINE)
def test_nothing_is_true_on_one_machine_only(texts, what):
    named = [
        f"{path}:{number}"
        for path, text in texts
        for number, line in enumerate(text.splitlines(), start=1)
        if ONE_MACHINE[what].search(line)
    ]
    assert named == []
