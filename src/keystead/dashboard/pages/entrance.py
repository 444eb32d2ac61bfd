"""Coming in and going: signing in and out, giving one's password again, going to another organization."""

from collections.abc import Mapping

from litestar import Response, get, post
from litestar.params import FromPath

from keystead.dashboard.door import AsVisitor, AtDoor, Caller, context_of, find_caller, prove, stand_in
from keystead.dashboard.faults import errors_of
from keystead.dashboard.forms import Form, Sent
from keystead.dashboard.onwards import NEXT_FIELD, own_path
from keystead.dashboard.problems import status_of
from keystead.dashboard.provider import BACK_FIELD, make_back
from keystead.dashboard.render import AnyRequest, find_viewer, page, redirect
from keystead.dashboard.signing import enter, let_in, let_out
from keystead.dashboard.standing import say
from keystead.dashboard.toasts import Toast
from keystead.domain.errors import KeysteadError, TooManyAttempts
from keystead.domain.ids import OrganizationId
from keystead.services import people


@get("/")
async def get_root(caller: AtDoor) -> Response[str]:
    """Where everybody begins."""
    bare = caller.organization_id is None and caller.user.operator
    return redirect(caller.request, "/instance/organizations" if bare else "/apps")


@get("/sign-in")
async def get_sign_in(request: AnyRequest) -> Response[str]:
    """The form, but for who is in already."""
    onwards = own_path(request.query_params.get(NEXT_FIELD))
    if await find_caller(request) is not None:
        return redirect(request, onwards or "/")
    back = request.query_params.get(BACK_FIELD, "")
    return _sign_in_page(request, {NEXT_FIELD: onwards or "", BACK_FIELD: back}, {})


@post("/sign-in")
async def post_sign_in(request: AnyRequest, visit: AsVisitor, form: Sent) -> Response[str]:
    """Let somebody in. Who gave a wrong password and who is unknown read the same."""
    context, onwards = context_of(request), own_path(form.text(NEXT_FIELD))
    if missing := _missing(request, form):
        return _sign_in_page(request, form.values, missing, status=422)
    try:
        signed_in = await people.sign_in(
            context, visit, email=form.text("email"), password=form.secret("password")
        )
    except TooManyAttempts as error:
        later = {"Retry-After": str(error.retry_after_s)}
        return _sign_in_page(request, form.values, errors_of(request, error), status=429, headers=later)
    except KeysteadError as error:
        return _sign_in_page(request, form.values, errors_of(request, error), status=status_of(error))
    if signed_in is None:
        return _sign_in_page(request, form.values, {"": say(request, "entrance.wrong")}, status=422)
    return let_in(request, signed_in, onwards or "/")


@post("/sign-out")
async def post_sign_out(request: AnyRequest, form: Sent) -> Response[str]:
    """Let somebody out, who may want to come back as another, or go back to the provider who let them in."""
    caller = await find_caller(request)
    if caller is not None:
        await people.sign_out(caller.context, caller.actor(None))
    viewer = find_viewer(request)
    back = None if viewer is None or viewer.back is None else viewer.back.url
    onwards = {NEXT_FIELD: own_path(form.text(NEXT_FIELD)), BACK_FIELD: back}
    toast = Toast(message_id="toast.signed-out")
    return let_out(request, redirect(request, "/sign-in", toast=toast, **onwards))


@get("/prove")
async def get_prove(caller: AtDoor) -> Response[str]:
    """The password's field, for what asks for it and has no form to put it in."""
    onwards = own_path(caller.request.query_params.get(NEXT_FIELD))
    if caller.proven:
        return redirect(caller.request, onwards or "/")
    return _prove_page(caller, onwards, {})


@post("/prove")
async def post_prove(caller: AtDoor, form: Sent) -> Response[str]:
    """Note that the person is there, and go on."""
    onwards = own_path(form.text(NEXT_FIELD))
    try:
        await prove(caller, form)
    except KeysteadError as error:
        errors = errors_of(caller.request, error)
        return _prove_page(caller, onwards, errors, status=status_of(error))
    return redirect(caller.request, onwards or "/")


@post("/organizations/{organization_id:str}/enter")
async def post_enter(caller: AtDoor, organization_id: FromPath[str]) -> Response[str]:
    """Go to another organization."""
    chosen = OrganizationId(organization_id)
    await stand_in(caller, chosen)
    return enter(caller.request, redirect(caller.request, "/apps"), chosen)


def _missing(request: AnyRequest, form: Form) -> Mapping[str, str]:
    """What is said of fields that were left empty: no guess at a password, and not counted as one."""
    errors = {}
    if not form.text("email"):
        errors["email"] = say(request, "entrance.no-email")
    if not form.secret("password"):
        errors["password"] = say(request, "entrance.no-password")
    return errors


def _sign_in_page(
    request: AnyRequest,
    values: Mapping[str, str],
    errors: Mapping[str, str],
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response[str]:
    signing = context_of(request).people
    return page(
        request,
        "entrance/sign_in.html",
        status=status,
        headers=headers,
        values=values,
        errors=errors,
        onwards=own_path(values.get(NEXT_FIELD)),
        back=make_back(values.get(BACK_FIELD, ""), signing.return_urls),
        sign_up=signing.sign_up_open,
    )


def _prove_page(
    caller: Caller, onwards: str | None, errors: Mapping[str, str], *, status: int = 200
) -> Response[str]:
    return page(
        caller.request,
        "entrance/prove.html",
        status=status,
        errors=errors,
        email=caller.user.email,
        onwards=onwards,
    )


ROUTES = (get_root, get_sign_in, post_sign_in, post_sign_out, get_prove, post_prove, post_enter)
