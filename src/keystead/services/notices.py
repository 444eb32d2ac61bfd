"""Telling people what became of their account, so that they notice what was not their doing."""

from contextlib import suppress

from keystead.domain.errors import Unavailable
from keystead.services.context import Context
from keystead.services.letters import Letter


async def tell(context: Context, to: str, letter: Letter) -> None:
    """Send a letter where mail is set up; what it tells of is done, whether or not it can be sent."""
    if context.people.mail is not None:
        with suppress(Unavailable):
            await context.people.mail.send(to, letter.subject, letter.text)
