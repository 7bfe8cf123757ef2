"""Settings: the only reader of the environment and of settings files.

A value is looked for in this order: the command line, `REGULARS_*` in the environment, `.env` in
the working folder, `regulars.toml` in the landing folder, the default. A warehouse belongs to one
shop; its folders are named here and nowhere else.
"""

import csv
import os
import re
import secrets
from datetime import date
from pathlib import Path
from tomllib import TOMLDecodeError
from typing import Any, Self
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from pydantic import (
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from dagster_project.lib.errors import InputError

PROJECT_ROOT = Path(__file__).resolve().parents[2]
DBT_DIR = PROJECT_ROOT / "dbt"
EXPECTATIONS_DIR = PROJECT_ROOT / "expectations"
SETTINGS_FILE = "regulars.toml"
WAREHOUSE_FILE = "warehouse.duckdb"


class Settings(BaseSettings):
    """What a shop can set."""

    model_config = SettingsConfigDict(
        env_prefix="REGULARS_", env_file=".env", extra="ignore", frozen=True
    )

    landing: Path = Path("landing")
    warehouse: Path = Path("warehouse")
    connectors: str = Field("", description="comma-separated; empty: the folders in landing")
    time_zone: str = Field("UTC", description="of the shop; stamps without an offset are in it")
    reporting_currency: str | None = Field(None, pattern="^[A-Z]{3}$")
    merge_same_day_orders: bool = True
    count_zero_value_orders: bool = False
    keep_identical_rows: bool = True
    follow_up_days: int = Field(180, ge=1, description="how long a gap must have been followed")
    fallback_at_risk_after_days: int = Field(60, ge=1, description="until it can be estimated")
    fallback_inactive_after_days: int = Field(180, ge=1, description="until it can be estimated")
    max_accounts_per_email: int = Field(10, ge=1, description="more, and it identifies nobody")
    max_emails_per_account: int = Field(10, ge=1, description="more, and it identifies nobody")
    session_timeout_minutes: int = Field(30, ge=1, description="silence that ends a session")
    split_sessions_at_midnight: bool = True
    split_sessions_at_campaign: bool = True
    bot_events_per_minute: int = Field(60, ge=1, description="more make the visitor a bot that day")
    bot_events_per_hour: int = Field(600, ge=1, description="more make the visitor a bot that day")
    first_touch_days: int = Field(90, ge=1, description="age at the first purchase, at most")
    last_touch_days: int = Field(30, ge=1, description="age at the first purchase, at most")
    experiment_days: int = Field(28, ge=1, description="of an A/B test without an end in the seed")
    ltv_backtest_days: int = Field(180, ge=1, description="horizon on which forecasts are graded")
    ltv_min_history_days: int = Field(180, ge=1, description="less, and nothing is predicted")
    ltv_min_repeat_customers: int = Field(100, ge=1, description="fewer, and nothing is predicted")
    refunds_known_after_days: int = Field(90, ge=0, description="age of orders that make the share")
    discount_rate_per_year: float = Field(0.0, ge=0, lt=1, description="on predicted value")
    language: str = Field("en", description="of greetings, where the customer's has none")
    max_contacts: int = Field(1, ge=1, description="of one customer within contact_days")
    contact_days: int = Field(7, ge=1, description="in which max_contacts count")
    holdout_share: float = Field(0.1, ge=0, le=1, description="of customers, never contacted")
    keep_generations: int = Field(5, ge=1)
    postgres_url: SecretStr | None = Field(None, description="database to publish into, too")
    postgres_reader: str = Field("regulars_reader", description="role that may read it")
    hash_key: SecretStr | None = Field(None, description="key of the hashes that stand for e-mails")
    automatic: bool = Field(False, description="whether schedule and sensor start with Dagster")
    alert_webhook: SecretStr | None = Field(None, description="gets failed runs as JSON")
    alert_email: str = Field("", description="comma-separated; gets failed runs by mail")
    smtp_url: SecretStr | None = Field(None, description="smtp(s)://user:password@host:port")

    @field_validator("landing", "warehouse")
    @classmethod
    def _absolute(cls, path: Path) -> Path:
        return path.expanduser().absolute()

    @field_validator("time_zone")
    @classmethod
    def _known_time_zone(cls, name: str) -> str:
        if name not in available_timezones():
            raise ValueError(f"{name!r} is not a time zone; write it like Europe/Berlin")
        return name

    @field_validator("language")
    @classmethod
    def _known_language(cls, language: str) -> str:
        with (PROJECT_ROOT / "seeds" / "greetings.csv").open(encoding="utf-8") as file:
            known = [row["language"] for row in csv.DictReader(file)]
        if language not in known:
            raise ValueError(
                f"{language!r} has no greeting in seeds/greetings.csv; there are {', '.join(known)}"
            )
        return language

    @field_validator("postgres_url")
    @classmethod
    def _url_of_postgres(cls, url: SecretStr | None) -> SecretStr | None:
        if url is None or not url.get_secret_value():
            return None
        if not url.get_secret_value().startswith(("postgresql://", "postgres://")):
            raise ValueError("write it like postgresql://user:password@host:5432/database")
        return url

    @field_validator("alert_webhook", "smtp_url")
    @classmethod
    def _known_scheme(cls, url: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if url is not None and not url.get_secret_value():
            return None
        schemes = {"alert_webhook": ("http", "https"), "smtp_url": ("smtp", "smtps")}
        if url is not None:
            allowed = schemes[str(info.field_name)]
            try:
                parts = urlsplit(url.get_secret_value())
                is_right = parts.scheme in allowed and parts.hostname and parts.port != 0
            except ValueError:  # a port that is none
                is_right = False
            if not is_right:
                raise ValueError(f"must be a URL that begins with {' or '.join(allowed)}")
        return url

    @field_validator("alert_email")
    @classmethod
    def _addresses(cls, text: str) -> str:
        addresses = [address.strip() for address in text.split(",") if address.strip()]
        if not all(re.fullmatch(r"[^@\s]+@[^@\s]+", address) for address in addresses):
            raise ValueError("must be addresses, comma-separated")
        return ",".join(addresses)

    @model_validator(mode="after")
    def _mail_has_a_server(self) -> Self:
        if self.alert_email and self.smtp_url is None:
            raise ValueError("alert_email needs smtp_url, by which mail is sent")
        return self

    @property
    def connector_names(self) -> tuple[str, ...]:
        return tuple(name.strip() for name in self.connectors.split(",") if name.strip())

    @property
    def raw_dir(self) -> Path:
        return self.warehouse / "raw"

    @property
    def build_dir(self) -> Path:
        return self.warehouse / "build"

    @property
    def build_file(self) -> Path:
        return self.build_dir / "build.duckdb"

    @property
    def published_dir(self) -> Path:
        return self.warehouse / "published"

    def published_link(self, as_of: date | None = None) -> Path:
        """What readers follow: to the current version, or to that built for a past date."""
        dated = self.published_dir / "as_of" / str(as_of)
        return dated if as_of else self.published_dir / "current"

    @property
    def published_file(self) -> Path:
        return self.published_link() / WAREHOUSE_FILE

    @property
    def report_file(self) -> Path:
        return self.warehouse / "report.html"

    @property
    def lock_file(self) -> Path:
        return self.warehouse / "run.lock"

    def secret_key(self) -> str:
        """The hash key: the one set, else one made on first use and kept, readable by its owner."""
        if self.hash_key is not None:
            return self.hash_key.get_secret_value()
        path = self.warehouse / "hash.key"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary = path.with_suffix(f".{os.getpid()}")
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_hex(32))
            temporary.rename(path)
        return path.read_text().strip()

    def environment(self) -> dict[str, str]:
        """Environment in which another process arrives at the same folders and connectors."""
        return {
            "REGULARS_LANDING": str(self.landing),
            "REGULARS_WAREHOUSE": str(self.warehouse),
            "REGULARS_CONNECTORS": self.connectors,
        }

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        given = {**dotenv_settings(), **env_settings(), **init_settings()}
        landing = Path(given.get("landing", "landing")).expanduser()
        toml = TomlConfigSettingsSource(settings_cls, landing / SETTINGS_FILE)
        return init_settings, env_settings, dotenv_settings, toml


def parse_date(name: str, text: str) -> date | None:
    """The date that was asked for; None where none was."""
    return read_date(name, text) if text else None


def read_date(name: str, text: str) -> date:
    """The date that was asked for. Raises InputError where it is none."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InputError(f"{name} {text!r} is not a date; write it like 2025-12-31") from None


def load_settings(**given: Any) -> Settings:
    """Settings with what was `given` (None counts as not given) before every other source.

    Raises InputError that names each wrong value.
    """
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except OSError as error:
        raise InputError(f"{error.filename} cannot be read: {error.strerror}") from None
    except TOMLDecodeError as error:
        raise InputError(f"{SETTINGS_FILE} in the landing folder: {error}") from None
    except ValidationError as error:
        problems = "; ".join(
            f"setting {'.'.join(map(str, item['loc']))}: {item['msg']}".replace("setting : ", "")
            for item in error.errors()
        )
        raise InputError(problems) from None
