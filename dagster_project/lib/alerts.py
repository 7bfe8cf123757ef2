"""What is said to somebody who does not watch when a run has failed: by webhook, by mail.

Off where the settings name nobody. A message that cannot be sent is a warning in the log; it
changes nothing about the run. No figure, row, address or secret is in it: what is quoted in an
error may be a value, and is left out.
"""

import json
import re
import smtplib
import ssl
import urllib.request
from email.message import EmailMessage
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import unquote, urlsplit

from dagster_project.lib.intake.landing import printable
from dagster_project.lib.progress import LOGGER, say
from dagster_project.lib.publish.generations import generations
from dagster_project.lib.settings import Settings

TIMEOUT_SECONDS = 10
MAX_PROBLEMS = 10
QUOTED = re.compile(r"(?<!\w)(['\"]).*?\1(?!\w)")
ADDRESS = re.compile(r"[^\s@]+@[^\s@]+")


def alert(settings: Settings, error: str, *, look_at: str) -> None:
    """Tells whoever the settings name that a run has failed; never raises.

    `error` has a line per problem: of failed checks which one, what was observed and the file of
    failing rows.
    """
    ways = {
        "webhook": (_post, settings.alert_webhook is not None),
        "e-mail": (_mail, bool(settings.alert_email)),
    }
    for way, (send, is_on) in ways.items():
        if is_on:
            try:
                send(settings, _message(settings, error, look_at))
                say(f"an alert was sent by {way}")
            except Exception as failure:
                LOGGER.warning(f"an alert could not be sent by {way}: {_why(failure)}")


def _message(settings: Settings, error: str, look_at: str) -> dict[str, Any]:
    """The same for machines and, in `text`, for people."""
    lines = [_without_values(line) for line in error.splitlines() if line.strip()]
    current = next((version for version in generations(settings) if version.is_current), None)
    if current:
        published_at = f"{current.published_at:%Y-%m-%d %H:%M} UTC"
        readers = f"Readers see the version as of {current.as_of}, published at {published_at}."
    else:
        readers = "Readers see nothing: no version has been published yet."
    more = len(lines) - MAX_PROBLEMS
    text = [
        f"Regulars: a run of the warehouse {printable(settings.warehouse.name, 80)} has failed",
        *(f"- {line}" for line in lines[:MAX_PROBLEMS]),
        *([f"- and {more} more"] if more > 0 else []),
        readers,
        f"Look at: {look_at}",
    ]
    return {
        "text": "\n".join(text),
        "event": "run_failed",
        "warehouse": str(settings.warehouse),
        "problems": lines[:MAX_PROBLEMS],
        "further_problems": max(more, 0),
        "readers_see": current
        and {
            "generation": current.id,
            "as_of": current.as_of.isoformat(),
            "published_at": current.published_at.isoformat(),
        },
        "look_at": look_at,
    }


def _post(settings: Settings, message: dict[str, Any]) -> None:
    assert settings.alert_webhook is not None
    # Chats take what stands in angle brackets for a link or a call to everybody.
    text = message["text"].replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    request = urllib.request.Request(
        settings.alert_webhook.get_secret_value(),
        json.dumps({**message, "text": text}).encode(),
        {"Content-Type": "application/json", "User-Agent": "regulars"},
    )
    with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS):
        pass


def _mail(settings: Settings, message: dict[str, Any]) -> None:
    """TLS wherever the server offers it; no password without."""
    assert settings.smtp_url is not None
    url = urlsplit(settings.smtp_url.get_secret_value())
    host, user = url.hostname or "", unquote(url.username or "")
    subject, _, body = message["text"].partition("\n")
    mail = EmailMessage()
    mail["Subject"] = subject
    mail["To"] = settings.alert_email
    mail["From"] = user if "@" in user else settings.alert_email.split(",")[0]
    mail.set_content(f"{subject}.\n{body}\n")
    context = ssl.create_default_context()
    server = (
        smtplib.SMTP_SSL(host, url.port or 465, timeout=TIMEOUT_SECONDS, context=context)
        if url.scheme == "smtps"
        else smtplib.SMTP(host, url.port or 587, timeout=TIMEOUT_SECONDS)
    )
    with server:
        server.ehlo()
        if url.scheme == "smtp" and (user or server.has_extn("starttls")):
            server.starttls(context=context)
        if user:
            server.login(user, unquote(url.password or ""))
        server.send_message(mail)


def _without_values(line: str) -> str:
    return printable(ADDRESS.sub("(address)", QUOTED.sub("'...'", line)), 500)


def _why(failure: Exception) -> str:
    """Without the URL, which may hold a secret."""
    match failure:
        case HTTPError():
            return f"it answers {failure.code}"
        case URLError(reason=OSError() as reason):
            return reason.strerror or type(reason).__name__
        case smtplib.SMTPResponseException():
            return f"it answers {failure.smtp_code}"
        case OSError():
            return failure.strerror or type(failure).__name__
    return type(failure).__name__
