"""Mail over SMTP: what a server is handed, and what is told of one that fails."""

import asyncio
import email
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email import policy

import pytest

from keystead.domain.errors import Unavailable
from keystead.domain.tenants import Role
from keystead.people.mail import SmtpMail
from keystead.services import letters
from tests.people import people

SECRET = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"
_MIME = ("Content-Type", "Content-Transfer-Encoding", "MIME-Version")


class Server:
    """A mail server that takes everything, or answers `refuse` to whom a mail is for."""

    def __init__(self, refuse: str | None = None) -> None:
        self.refuse = refuse
        self.heard: list[str] = []
        self.taken: list[str] = []
        self.talking: set[asyncio.Task[None] | None] = set()

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.talking.add(asyncio.current_task())
        say = lambda line: writer.write(f"{line}\r\n".encode())  # noqa: E731 - reads as it is said
        say("220 here")
        while line := (await reader.readline()).decode().rstrip("\r\n"):
            self.heard.append(line)
            match line.split()[0].upper():
                case "EHLO":
                    say("250 here")
                case "RCPT" if self.refuse is not None:
                    say(self.refuse)
                case "DATA":
                    say("354 go on")
                    taken = (await reader.readuntil(b"\r\n.\r\n")).decode()
                    self.taken.append(taken.removesuffix(".\r\n"))
                    say("250 taken")
                case "QUIT":
                    say("221 bye")
                    break
                case _:
                    say("250 ok")
        writer.close()
        await writer.wait_closed()


@asynccontextmanager
async def listening(server: Server) -> AsyncIterator[str]:
    running = await asyncio.start_server(server.talk, "127.0.0.1", 0)
    port = running.sockets[0].getsockname()[1]
    try:
        yield f"smtp://127.0.0.1:{port}"
    finally:
        running.close()
        await asyncio.gather(*(it for it in server.talking if it is not None))


@pytest.mark.enable_socket
async def test_a_mail_says_who_it_is_from_and_what_it_is():
    server = Server()
    async with listening(server) as url:
        await SmtpMail(url, "Acme keys <keys@acme.example>").send(
            "ada@example.com", "Join Größe on Acme", f"Öffne https://keys.example.com/link?secret={SECRET}\n"
        )
    [taken] = server.taken
    message = email.message_from_string(taken, policy=policy.default)
    assert (message["From"], message["To"]) == ("Acme keys <keys@acme.example>", "ada@example.com")
    assert message["Subject"] == "Join Größe on Acme"
    assert message["Message-ID"].endswith("@acme.example>")
    assert message["Date"]
    assert f"Öffne https://keys.example.com/link?secret={SECRET}" in message.get_content()
    assert "MAIL FROM:<keys@acme.example>" in " ".join(server.heard)


@pytest.mark.enable_socket
@pytest.mark.parametrize("language", ["en", "es"])
async def test_a_letter_arrives_as_it_was_written(language):
    name = "Größe, S. L. <b> {x}\u2028Bcc: eve@example.com " + "and so on " * 8
    house, url = people(product_name="Llaves Ñandú"), f"https://keys.example.com/link?secret={SECRET}"
    written = [
        letters.invitation(house, language, organization=name, role=Role.OWNER, url=url),
        letters.confirmation(house, language, url=url),
        letters.already_known(house, language, url=url),
        letters.email_changed(house, language, name=name),
        letters.password_changed(house, language, name=name),
    ]
    server = Server()
    async with listening(server) as mail_url:
        for letter in written:
            await SmtpMail(mail_url, "keys@acme.example").send("ada@example.com", letter.subject, letter.text)
    arrived = [email.message_from_string(it, policy=policy.default) for it in server.taken]
    assert [(it["Subject"], it.get_content().replace("\r\n", "\n")) for it in arrived] == written
    assert {it.get_content_type() for it in arrived} == {"text/plain"}
    assert {tuple(sorted(it.keys())) for it in arrived} == {
        tuple(sorted(("From", "To", "Subject", "Date", "Message-ID", *_MIME)))
    }


@pytest.mark.enable_socket
@pytest.mark.parametrize("refuse", ["550 no such person", "421 busy"])
async def test_one_that_is_not_taken_is_unavailable_and_quotes_nothing(refuse, caplog, capsys):
    async with listening(Server(refuse)) as url:
        with pytest.raises(Unavailable) as caught:
            await SmtpMail(url, "keys@acme.example").send("ada@example.com", "Hello", SECRET)
    assert (caught.value.__context__, caught.value.__cause__) == (None, None)
    said = caplog.text + "".join(capsys.readouterr())
    assert "ada@example.com" not in said
    assert SECRET not in said


@pytest.mark.enable_socket
async def test_a_server_that_is_away_is_unavailable():
    async with listening(Server()) as url:
        pass
    with pytest.raises(Unavailable):
        await SmtpMail(url, "keys@acme.example").send("ada@example.com", "Hello", "Text")


@pytest.mark.parametrize(
    ("url", "tls"),
    [
        ("smtp://mail.example.com", (587, False, True)),
        ("smtp://mail.example.com:25", (25, False, True)),
        ("smtps://mail.example.com", (465, True, False)),
        ("smtp://localhost", (587, False, None)),
        ("smtp://127.0.0.1:1025", (1025, False, None)),
        ("smtp://[::1]", (587, False, None)),
    ],
)
def test_nothing_is_said_to_another_machine_without_tls(url, tls):
    mail = SmtpMail(url, "keys@acme.example")
    assert (mail._port, mail._at_once, mail._start_tls()) == tls


def test_its_password_is_in_no_repr():
    mail = SmtpMail("smtp://keys:p%40ss-word@mail.example.com", "keys@acme.example")
    assert mail._password == "p@ss-word"
    assert "word" not in repr(mail)
