"""Alerts: who is told what of a failed run, and that telling never changes anything."""

import base64
import logging
import socket
import ssl
import subprocess
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest

from dagster_project.lib.alerts import alert
from dagster_project.lib.errors import InputError
from dagster_project.lib.publish.generations import publish
from dagster_project.lib.settings import Settings, load_settings
from tests.receivers import mailbox, webhook

FAILED = (
    "marts.fct_orders: expect_column_min_to_be_between(net_sales, min_value 0): -5;"
    " failing rows in failing_rows/a.csv (an order brings no less than nothing)"
)


def settings_with(folder: Path, **given: Any) -> Settings:
    return load_settings(warehouse=folder / "shop", **given)


def test_a_webhook_is_told_what_failed_and_what_readers_see(tmp_path: Path) -> None:
    settings = settings_with(tmp_path)
    settings.build_dir.mkdir(parents=True)
    with duckdb.connect(str(settings.build_file)) as connection:
        connection.execute("create schema marts; create table marts.fct_orders as select 1 as a")
    published = publish(settings, run_id="r", as_of=date(2025, 12, 30))
    with webhook() as hook:
        alert(settings_with(tmp_path, alert_webhook=hook.url), FAILED, look_at="run 7 in Dagster")
    (message,) = hook.received
    assert message["event"] == "run_failed"
    assert message["problems"] == [FAILED]
    assert message["readers_see"]["generation"] == published.generation
    assert message["readers_see"]["as_of"] == "2025-12-30"
    assert message["text"].splitlines() == [
        "Regulars: a run of the warehouse shop has failed",
        f"- {FAILED}",
        "Readers see the version as of 2025-12-30,"
        f" published at {published.published_at:%Y-%m-%d %H:%M} UTC.",
        "Look at: run 7 in Dagster",
    ]


def test_values_addresses_and_calls_to_everybody_are_left_out(tmp_path: Path) -> None:
    error = (
        "fct_a: Conversion Error: Could not convert string 'Anna Berg' to INT32\n"
        "fct_b: Duplicate key \"id: 4711\"; the shop's customer's mail is anna@example.com\n"
        "orders <!channel>.csv & more\x1b[31m"
    )
    with webhook() as hook:
        alert(settings_with(tmp_path, alert_webhook=hook.url), error, look_at="the log")
    (message,) = hook.received
    assert message["problems"][:2] == [
        "fct_a: Conversion Error: Could not convert string '...' to INT32",
        "fct_b: Duplicate key '...'; the shop's customer's mail is (address)",
    ]
    assert "- orders &lt;!channel&gt;.csv &amp; more\\x1b[31m" in message["text"].splitlines()
    assert message["readers_see"] is None and "Readers see nothing" in message["text"]


def test_of_many_problems_the_first_are_told(tmp_path: Path) -> None:
    error = "\n".join(f"problem {number} {'x' * 600}" for number in range(25))
    with webhook() as hook:
        alert(settings_with(tmp_path, alert_webhook=hook.url), error, look_at="the log")
    (message,) = hook.received
    assert len(message["problems"]) == 10 and message["further_problems"] == 15
    assert "- and 15 more" in message["text"]
    assert max(map(len, message["problems"])) < 510


def test_nobody_is_told_where_nobody_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        alert(settings_with(tmp_path), FAILED, look_at="the log")
    assert caplog.messages == []


@pytest.mark.parametrize("status", [404, 500])
def test_a_webhook_that_refuses_is_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    with webhook() as hook:
        hook.status = status
        alert(settings_with(tmp_path, alert_webhook=hook.url), FAILED, look_at="the log")
    assert caplog.messages == [f"an alert could not be sent by webhook: it answers {status}"]


def test_receivers_that_do_not_answer_are_given_up(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dagster_project.lib.alerts.TIMEOUT_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        place = f"127.0.0.1:{silent.getsockname()[1]}"
        settings = settings_with(
            tmp_path,
            alert_webhook=f"http://{place}/secret-token",
            alert_email="a@example.com",
            smtp_url=f"smtp://me:secret-token@{place}",
        )
        alert(settings, FAILED, look_at="the log")
    assert len(caplog.messages) == 2 and all("could not be sent" in m for m in caplog.messages)
    assert "secret-token" not in caplog.text


def test_a_mail_goes_to_all_who_are_named(tmp_path: Path) -> None:
    with mailbox() as box:
        settings = settings_with(
            tmp_path,
            alert_email="data@example.com, shop@example.com",
            smtp_url=f"smtp://127.0.0.1:{box.port}",
        )
        alert(settings, FAILED, look_at="the log")
    (mail,) = box.received
    assert mail["Subject"] == "Regulars: a run of the warehouse shop has failed"
    assert mail["From"] == "data@example.com"
    assert box.recipients == ["data@example.com", "shop@example.com"]
    assert "Look at: the log" in mail.get_content()
    assert box.logins == []


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Key and certificate of localhost, in one file."""
    file = tmp_path_factory.mktemp("tls") / "localhost.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost"
    names = ["-addext", "subjectAltName=DNS:localhost", "-keyout", file, "-out", f"{file}.crt"]
    subprocess.run([*command.split(), *names], check=True, capture_output=True)
    file.write_text(file.read_text() + Path(f"{file}.crt").read_text())
    return file


def test_a_password_is_said_over_tls_alone(
    tmp_path: Path,
    certificate: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    given = {"alert_email": "data@example.com"}
    login = "alerts%40example.com:p%3Ass"
    with mailbox(context) as box:
        url = f"smtp://{login}@localhost:{box.port}"
        settings = settings_with(tmp_path, smtp_url=url, **given)
        alert(settings, FAILED, look_at="the log")
        assert (box.received, box.logins) == ([], []), "its certificate is not known"
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        alert(settings, FAILED, look_at="the log")
    said = base64.b64encode(b"\0alerts@example.com\0p:ss").decode()
    assert box.logins == [(said, True)]
    assert [mail["From"] for mail in box.received] == ["alerts@example.com"]
    with mailbox() as box:
        url = f"smtp://{login}@localhost:{box.port}"
        alert(settings_with(tmp_path, smtp_url=url, **given), FAILED, look_at="the log")
    assert (box.received, box.logins) == ([], []), "it offers no TLS"
    assert [message for message in caplog.messages if "p:ss" in message or "p%3A" in message] == []


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"alert_webhook": "file:///etc/passwd"}, "must be a URL that begins with http or https"),
        ({"alert_webhook": "http://:80/secret-token"}, "must be a URL that begins with http"),
        ({"alert_webhook": "http://a:port/secret-token"}, "must be a URL that begins with http"),
        ({"smtp_url": "mail.example.com:25"}, "must be a URL that begins with smtp or smtps"),
        ({"alert_email": "data@example.com"}, "alert_email needs smtp_url"),
        ({"alert_email": "data", "smtp_url": "smtp://a"}, "must be addresses"),
        ({"alert_email": "a@b.c\nBcc: d@e.f", "smtp_url": "smtp://a"}, "must be addresses"),
    ],
)
def test_settings_of_alerts_that_cannot_be_right(
    tmp_path: Path, given: dict[str, str], says: str
) -> None:
    with pytest.raises(InputError) as error:
        settings_with(tmp_path, **given)
    assert says in str(error.value) and "secret-token" not in str(error.value)
