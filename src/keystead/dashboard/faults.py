"""What went wrong with a form, in words that stand beside its fields.

Each rule that can be broken has a text, `fault.{rule}`, which is filled in with the values of the error (see
`domain.errors`). A test finds every rule that our code names, and that it has its text in every language.
"""

from collections.abc import Mapping

from keystead.dashboard.forms import PROOF_FIELD
from keystead.dashboard.render import AnyRequest, texts_of
from keystead.dashboard.texts import Texts
from keystead.domain.errors import (
    InvalidInput,
    KeysteadError,
    NotFound,
    ProofNeeded,
    SignedOut,
    TooManyAttempts,
)

_MINUTE_S = 60


def errors_of(request: AnyRequest, error: KeysteadError) -> Mapping[str, str]:
    """The fault by the field that it is about, `""` for the form as a whole; give it to `error_summary`.

    A password that must be given again is the field `proof`. What no form can mend (a session that ended, a
    thing that is gone) is raised again, for its own page.
    """
    match error:
        case SignedOut() | NotFound():
            raise error
        case InvalidInput(code="idempotency-key-reused"):
            field = ""  # its own names a header, which a form has no field for
        case ProofNeeded():
            field = PROOF_FIELD
        case _:
            field = error.field
    return {field: fault_text(texts_of(request), error)}


def fault_text(texts: Texts, error: KeysteadError) -> str:
    """What an error says, as a sentence in the language of `texts`."""
    if isinstance(error, TooManyAttempts):
        return _wait(texts, error.retry_after_s)
    return texts.text(f"fault.{error.rule}", **error.values)


def _wait(texts: Texts, seconds: int) -> str:
    if seconds < _MINUTE_S:
        return texts.plural("fault.wait-seconds", seconds)
    return texts.plural("fault.wait-minutes", -(-seconds // _MINUTE_S))
