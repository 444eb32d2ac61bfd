"""What went wrong with a form, in words that stand beside its fields."""

from collections.abc import Mapping

from keystead.dashboard.render import AnyRequest, Renderer
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

    Its words are the text `fault.{field}` or, for the form, `fault.{code}`; where the catalogs have none,
    what the error itself says. A password that must be given again is the field `proof`.

    What no form can mend (a session that ended, a thing that is gone) is raised again, for its own page.
    """
    renderer: Renderer = request.app.state.renderer
    texts = renderer.reading(request).texts
    match error:
        case SignedOut() | NotFound():
            raise error
        case InvalidInput(code="idempotency-key-reused"):
            return {"": texts.text("fault.idempotency-key-reused")}
        case InvalidInput():
            return {error.field: _found(texts, f"fault.{error.field}", _sentence(error.problem))}
        case ProofNeeded():
            return {"proof": texts.text("fault.proof-needed")}
        case TooManyAttempts():
            return {"": wait(texts, error)}
        case _:
            return {"": _found(texts, f"fault.{error.code}", str(error))}


def wait(texts: Texts, error: TooManyAttempts) -> str:
    """How long to wait after too many attempts, in words."""
    if error.retry_after_s < _MINUTE_S:
        return texts.plural("fault.wait-seconds", error.retry_after_s)
    return texts.plural("fault.wait-minutes", -(-error.retry_after_s // _MINUTE_S))


def _found(texts: Texts, message_id: str, otherwise: str) -> str:
    return texts.text(message_id) if texts.has(message_id) else otherwise


def _sentence(problem: str) -> str:
    """A problem that follows a field's name elsewhere, as a sentence of its own."""
    return f"{problem[:1].upper()}{problem[1:].rstrip('.')}."
