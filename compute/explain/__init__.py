"""Explain a result: from the credited tonne down to the raw register words, each step with its rule and clause.

In: what `compute.engine.compute` takes, and a question. Out: an `Explanation`, a tree of steps. Its numbers are those
that the engine worked with, never computed a second way. Pure; the command is `sakugen compute explain`, and
docs/explain.md says how to read it.
"""

from compute.explain.question import Question, question_of
from compute.explain.step import TYPE, Explanation, Fact, Made, Rule, Step, document, number_text, pair_text
from compute.explain.whole import explain

__all__ = [
    "TYPE",
    "Explanation",
    "Fact",
    "Made",
    "Question",
    "Rule",
    "Step",
    "document",
    "explain",
    "number_text",
    "pair_text",
    "question_of",
]
