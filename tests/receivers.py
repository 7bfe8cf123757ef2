"""Where alerts arrive: a web server and a mail server on this machine."""

import json
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Webhook:
    """`received` are the messages; it answers each with `status`."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.status = 200
        self.received: list[dict[str, Any]] = []


class Mailbox:
    """`received` are the messages, `logins` what clients have said to log in."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.received: list[EmailMessage] = []
        self.recipients: list[str] = []
        self.logins: list[tuple[str, bool]] = []  # and whether it was encrypted


@contextmanager
def webhook() -> Iterator[Webhook]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            assert self.headers["Content-Type"] == "application/json"
            hook.received.append(json.loads(body))
            self.send_response(hook.status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with _served(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as port:
        hook = Webhook(f"http://127.0.0.1:{port}/hooks/secret-token")
        yield hook


@contextmanager
def mailbox(context: ssl.SSLContext | None = None) -> Iterator[Mailbox]:
    """With a context it offers STARTTLS."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            encrypted = False
            self.say("220 here")
            while line := self.rfile.readline().decode().strip():
                command, _, rest = line.partition(" ")
                match command.upper():
                    case "EHLO":
                        offers_tls = context and not encrypted
                        self.say("250-here", "250-STARTTLS" if offers_tls else "250-AUTH PLAIN")
                        self.say("250 8BITMIME")
                    case "STARTTLS" if context:
                        self.say("220 go on")
                        self.request = context.wrap_socket(self.request, server_side=True)
                        self.setup()
                        encrypted = True
                    case "AUTH":
                        box.logins.append((rest.removeprefix("PLAIN "), encrypted))
                        self.say("235 welcome")
                    case "RCPT":
                        box.recipients.append(rest.removeprefix("TO:").strip("<>"))
                        self.say("250 fine")
                    case "DATA":
                        self.say("354 go on")
                        lines = iter(self.rfile.readline, b".\r\n")
                        mail = message_from_bytes(b"".join(lines), policy=policy.default)
                        assert isinstance(mail, EmailMessage)
                        box.received.append(mail)
                        self.say("250 taken")
                    case "QUIT":
                        self.say("221 bye")
                        return
                    case "MAIL" | "RSET":
                        self.say("250 fine")
                    case _:
                        self.say("502 unknown")

        def say(self, *lines: str) -> None:
            self.wfile.write("".join(f"{line}\r\n" for line in lines).encode())

    with _served(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)) as port:
        box = Mailbox(port)
        yield box


@contextmanager
def _served(server: socketserver.TCPServer) -> Iterator[int]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
