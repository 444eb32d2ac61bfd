"""Mail, handed over to a mail server by SMTP."""

import ssl
from email.message import EmailMessage
from email.utils import formatdate, make_msgid, parseaddr
from urllib.parse import unquote, urlsplit

import aiosmtplib
import structlog

from keystead.domain.errors import Unavailable
from keystead.domain.networks import parse_address

WITHIN_S = 10.0
"""How long the mail server may take for all of it: somebody waits for the answer."""

_PORTS = {"smtp": 587, "smtps": 465}
_LOG = structlog.get_logger()


class SmtpMail:
    """Implements `ports.people.Mail`.

    `url` is `smtp://user:password@host:port`, which turns to TLS before anything is said (a server on this
    machine need not offer it), or `smtps://…`, which begins with it.
    """

    def __init__(self, url: str, sender: str, *, trusted: ssl.SSLContext | None = None) -> None:
        parts = urlsplit(url)
        self._host = parts.hostname or ""
        self._port = parts.port or _PORTS[parts.scheme]
        self._at_once = parts.scheme == "smtps"
        self._user = None if parts.username is None else unquote(parts.username)
        self._password = None if parts.password is None else unquote(parts.password)
        self._sender = sender
        self._trusted = trusted

    async def send(self, to: str, subject: str, text: str) -> None:
        """See `ports.people.Mail`. What went wrong is logged without the text, which may hold a secret."""
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = self._sender, to, subject
        message["Date"] = formatdate(usegmt=True)
        message["Message-ID"] = make_msgid(domain=parseaddr(self._sender)[1].rpartition("@")[2])
        message.set_content(text)
        try:
            await aiosmtplib.send(
                message,
                hostname=self._host,
                port=self._port,
                username=self._user,
                password=self._password,
                use_tls=self._at_once,
                start_tls=self._start_tls(),
                tls_context=self._trusted,
                timeout=WITHIN_S,
            )
        except (aiosmtplib.SMTPException, OSError) as error:
            _LOG.warning("mail not sent", error=type(error).__name__)
        else:
            return
        # Outside the handler: the library's errors may quote whom it was for.
        raise Unavailable("mail server")

    def _start_tls(self) -> bool | None:
        """Whether to turn to TLS: always but on this machine, where it is as the server offers."""
        if self._at_once:
            return False
        return None if _is_here(self._host) else True

    def __repr__(self) -> str:
        return f"SmtpMail({self._host}:{self._port})"


def _is_here(host: str) -> bool:
    address = parse_address(host)
    return host == "localhost" if address is None else address.is_loopback
