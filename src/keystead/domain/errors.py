"""What can go wrong, in the domain's words.

A refused key is an answer, not an error (see `verdict`): these mean that the work could not be done.
Each carries its data as attributes, a stable `code` (the slug of the problem type at the HTTP edge)
and a public sentence, `str(error)`, which is safe to show to whoever asked. A door that speaks other
languages has the same sentence by its name, `rule`, and fills in `values`.
"""

from collections.abc import Mapping


class KeysteadError(Exception):
    """Root of all our errors; never raised itself. `code` is a stable kebab-case slug.

    `rule` names the rule that was broken where that says more than the code; `values` are what its sentence
    names: texts, numbers, and lengths of time. `field` is the place in what was sent, if it is one.
    """

    code = "error"

    def __init__(
        self, sentence: str = "", *, code: str = "", rule: str = "", field: str = "", **values: object
    ) -> None:
        super().__init__(sentence)
        self.code = code or type(self).code
        self.rule = rule or self.code
        self.field = field
        self.values: Mapping[str, object] = values


class InvalidInput(KeysteadError):
    """What was sent can be mended by its sender: `field` names the place, `problem` the fault and the fix."""

    code = "invalid-input"

    def __init__(self, field: str, problem: str, *, code: str = "", rule: str = "", **values: object) -> None:
        super().__init__(f"{field}: {problem}", code=code, rule=rule, field=field, **values)
        self.problem = problem


class Denied(KeysteadError):
    """The principal is known and may not do this. `code` says which rule refused."""

    code = "forbidden"


class NotFound(KeysteadError):
    """Absent, or not the principal's to know of: both read alike, on purpose."""

    code = "not-found"

    def __init__(self, kind: str, identifier: str) -> None:
        super().__init__(f"There is no {kind} {identifier} that you may see.")
        self.kind = kind
        self.identifier = identifier


class Conflict(KeysteadError):
    """The state of things does not allow it now; `code` says which rule stands in the way."""

    code = "conflict"


class Stale(KeysteadError):
    """A conditional change named a revision that is no longer the newest (`If-Match`)."""

    code = "precondition-failed"

    def __init__(self, kind: str, identifier: str) -> None:
        super().__init__(f"The {kind} {identifier} was changed since you read it. Read it again, then retry.")


class Unavailable(KeysteadError):
    """A store that we depend on did not answer; nothing was written. Trying again later is right.

    `why` says what is in its way, where that is known and somebody can mend it: `its disk is full`.
    """

    code = "unavailable"

    def __init__(self, dependency: str, why: str | None = None) -> None:
        because = "" if why is None else f": {why}"
        problem = f"The {dependency} is not available{because}. Nothing was changed; try again in a moment."
        super().__init__(problem)
        self.dependency = dependency


class SignedOut(KeysteadError):
    """Whoever acts has no session any more: it ended, or its user was suspended."""

    code = "signed-out"

    def __init__(self) -> None:
        super().__init__("Your session has ended. Sign in again.")


class ProofNeeded(KeysteadError):
    """What was asked is dangerous, and the password was last given too long ago: ask for it, then retry."""

    code = "proof-needed"

    def __init__(self) -> None:
        super().__init__("Confirm with your password first.")


class LinkClosed(KeysteadError):
    """A link that was used, has expired, or never was: all read alike, on purpose."""

    code = "link-closed"

    def __init__(self) -> None:
        super().__init__("This link was used already, or has expired. Ask for a new one.")


class TooManyAttempts(KeysteadError):
    """So many passwords were tried, or mails asked for, that the next must wait; nothing was looked at."""

    code = "too-many-attempts"

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"Too many attempts. Wait {retry_after_s} seconds, then try again.")
        self.retry_after_s = retry_after_s


class Misconfigured(KeysteadError):
    """A setting makes it unsafe or impossible to start; `setting` names it, `problem` how to mend it."""

    code = "misconfigured"

    def __init__(self, setting: str, problem: str) -> None:
        super().__init__(f"{setting}: {problem}")
        self.setting = setting
        self.problem = problem
