"""Which rule lets a method and path through, or why none does: for people who are writing the rules."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from keystead.domain.constraints import Constraint, compile_constraints
from keystead.domain.paths import canonical_path

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


class Answer(StrEnum):
    """What the tester says: nothing was asked, let through by a rule or as there are none, or why not."""

    NOTHING = "nothing"
    ANY = "any"
    RULE = "rule"
    AMBIGUOUS = "ambiguous"
    METHOD = "method"
    PATH = "path"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A method and path that were tried. `rule` is the number of the rule that the answer is about.

    `canonical` is the path as constraints are matched on it.
    """

    method: str = "GET"
    path: str = ""
    answer: Answer = Answer.NOTHING
    rule: int | None = None
    canonical: str = ""

    @property
    def passes(self) -> bool:
        """Whether such a request is let through."""
        return self.answer in {Answer.ANY, Answer.RULE}


def attempt(rules: Sequence[tuple[int, Constraint]], method: str, path: str) -> Trial:
    """Try a request against rules, each with its number in the form; a leading `/` may be left out."""
    method = method.strip().upper() or "GET"
    if not path.strip():
        return Trial(method=method)
    canonical = canonical_path(f"/{path.strip().removeprefix('/')}")
    trial = Trial(method=method, path=path.strip(), canonical=canonical or "")
    if not rules:
        return replace(trial, answer=Answer.ANY)
    if canonical is None:
        return replace(trial, answer=Answer.AMBIGUOUS)
    found = _first(rules, method, canonical)
    if found is not None:
        return replace(trial, answer=Answer.RULE, rule=found)
    others = [(number, replace(rule, methods=())) for number, rule in rules]
    nearly = _first(others, method, canonical)
    return replace(trial, answer=Answer.PATH if nearly is None else Answer.METHOD, rule=nearly)


def _first(rules: Sequence[tuple[int, Constraint]], method: str, path: str) -> int | None:
    found = compile_constraints(tuple(rule for _, rule in rules)).matching(method, path)
    return None if found is None else rules[found][0]
