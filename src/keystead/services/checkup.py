"""What is worth a look at an app's keys, and how far the app has come."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from keystead.domain.checkup import Finding, Steps, Survey, steps
from keystead.domain.ids import AppId
from keystead.domain.keys import Key, OwnerKind
from keystead.domain.powers import Power
from keystead.ports.store import KeyFilter, Page
from keystead.services.access import reach_app
from keystead.services.context import Actor, Context


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkup:
    """An app looked at: of each finding that is about any key, the newest few; and the newest keys of all."""

    survey: Survey
    steps: Steps
    about: Mapping[Finding, Sequence[Key]]
    newest: Sequence[Key]


async def check_up(context: Context, actor: Actor, app_id: AppId, *, few: int, newest: int) -> Checkup:
    """Look at an app; its keys are counted where they are kept, and only these few are read.

    With `few` 0 no finding is gone into.
    """
    wanted = KeyFilter(now=context.clock(), owner_kind=OwnerKind.APP, owner_id=app_id)
    async with context.store.read() as tables:
        app = await reach_app(tables, actor.principal, Power.READ_APP_KEYS, app_id)
        survey = await tables.keys.survey(app.id, wanted.now)
        shown = await tables.keys.list(wanted, Page(limit=newest))
        about = {
            finding: (
                await tables.keys.list(replace(wanted, finding=finding), Page(limit=min(few, count)))
            ).items
            for finding, count in survey.found.items()
            if count and few
        }
    return Checkup(survey=survey, steps=steps(app, survey), about=about, newest=shown.items)
