"""Signing up, where the provider lets anybody in: first with an address, the rest behind the mail's link."""

from collections.abc import Mapping

from litestar import Response, get, post

from keystead.dashboard.door import AsVisitor, context_of
from keystead.dashboard.faults import errors_of
from keystead.dashboard.forms import Sent
from keystead.dashboard.problems import status_of
from keystead.dashboard.render import AnyRequest, page
from keystead.domain.errors import Denied, KeysteadError
from keystead.services.sign_up import ask_to_sign_up


@get("/sign-up", sync_to_thread=False)
def get_sign_up(request: AnyRequest) -> Response[str]:
    """The form, or whom to ask where signing up is closed."""
    return _sign_up_page(request, {}, {})


@post("/sign-up")
async def post_sign_up(request: AnyRequest, visit: AsVisitor, form: Sent) -> Response[str]:
    """Have a mail sent. Who asks reads the same whether or not the address has an account."""
    email = form.text("email")
    try:
        await ask_to_sign_up(context_of(request), visit, email=email)
    except Denied:
        return _sign_up_page(request, {}, {}, status=403)
    except KeysteadError as error:
        return _sign_up_page(request, form.values, errors_of(request, error), status=status_of(error))
    return page(request, "entrance/mailed.html", email=email)


def _sign_up_page(
    request: AnyRequest, values: Mapping[str, str], errors: Mapping[str, str], *, status: int = 200
) -> Response[str]:
    people = context_of(request).people
    return page(
        request,
        "entrance/sign_up.html" if people.sign_up_open else "entrance/closed.html",
        status=status,
        values=values,
        errors=errors,
    )


ROUTES = (get_sign_up, post_sign_up)
