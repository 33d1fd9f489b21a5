"""aiosmtpd as a mail server for tests: keeps what it takes as files, and misbehaves when the file `fault` says so.

usage: smtp.py PORT starttls|tls|plain CERT KEY FOLDER
Whoever logs in is "provost" with the password of every made-up account; on a plain connection nobody logs in.
"""

import asyncio
import email
import email.policy
import json
import pathlib
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult

PORT, MODE, CERT, KEY, FOLDER = sys.argv[1:6]
FOLDER = pathlib.Path(FOLDER)
(FOLDER / "mails").mkdir(exist_ok=True)


def fault():
    try:
        return (FOLDER / "fault").read_text().strip()
    except FileNotFoundError:
        return ""


def text_of(envelope):
    """What a reader sees first: of a mail with attachments, the text before them."""
    mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
    return mail.get_body(("plain", "html")).get_content()


class Keep:
    """Takes mails. The counter is the order of arrival."""

    count = 0

    async def handle_RCPT(self, server, session, envelope, address, options):
        if fault() == "grey":
            return "450 4.7.1 Greylisted, please come back later"
        if fault() == "unknown":
            return "550 5.1.1 No such user here"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        what = fault()
        if what == "echo-letter":
            text = text_of(envelope)
            return "554 5.7.1 Message refused because of " + " ".join(text.split())
        if what == "drop":
            server.transport.abort()
            return "451 never read"
        Keep.count += 1
        mail = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "login": str(session.auth_data.login, "utf-8") if session.auth_data else None,
            "tls": session.ssl is not None or MODE == "tls",
            "text": text_of(envelope),
            "content": envelope.content.decode("utf-8", "surrogateescape"),
        }
        new = FOLDER / "mails" / "new"
        new.write_text(json.dumps(mail))
        new.rename(FOLDER / "mails" / f"{Keep.count:06}.json")
        if what == "keep-and-drop":
            server.transport.abort()
        return "250 OK"


def authenticate(server, session, envelope, mechanism, data):
    if fault() == "echo-login":
        return AuthResult(success=False, handled=False, message=f"535 5.7.8 Not {data.login.decode()} {data.password.decode()}")
    good = (data.login, data.password) == (b"provost", b"Test-Passw0rd!")
    return AuthResult(success=good, handled=good, auth_data=data if good else None)


async def main():
    context = None
    if MODE != "plain":
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(CERT, KEY)
    handler = Keep()

    def one():
        return SMTP(
            handler,
            hostname="localhost",
            tls_context=context if MODE == "starttls" else None,
            require_starttls=MODE == "starttls",
            authenticator=authenticate,
            auth_required=MODE != "plain",
            auth_require_tls=MODE == "starttls",
        )

    server = await asyncio.get_running_loop().create_server(
        one, "127.0.0.1", int(PORT), ssl=context if MODE == "tls" else None
    )
    async with server:
        await server.serve_forever()


asyncio.run(main())
