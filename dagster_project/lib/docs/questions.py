"""Questions that people ask, each a file of SQL that DuckDB and PostgreSQL answer alike."""

import re
from dataclasses import dataclass
from pathlib import Path

from dagster_project.lib.settings import PROJECT_ROOT

FOLDER = PROJECT_ROOT / "docs" / "questions"
QUESTIONS_FILE = FOLDER.with_suffix(".md")
MARKER = "<!-- From here on written by `make docs` from the files of docs/questions. -->"


@dataclass(frozen=True)
class Question:
    """A file: the question and what a row of the answer says, as comments, then the query."""

    path: Path
    text: str

    @property
    def comment(self) -> list[str]:
        opening = re.match(r"(--.*\n)+", self.text)
        return (
            [line.removeprefix("--").strip() for line in opening[0].splitlines()] if opening else []
        )

    @property
    def title(self) -> str:
        return self.comment[0]

    @property
    def meaning(self) -> str:
        return " ".join(filter(None, self.comment[1:]))

    @property
    def sql(self) -> str:
        return re.sub(r"\A(--.*\n)+", "", self.text).strip()

    @property
    def tables(self) -> set[str]:
        return set(re.findall(r"\b(?:from|join)\s+((?:dim|fct)_\w+)", self.text))


def questions() -> list[Question]:
    return [
        Question(path, path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.sql"))
    ]


def render() -> str:
    """docs/questions.md: what is written there by hand, then every question."""
    introduction = QUESTIONS_FILE.read_text(encoding="utf-8").partition(MARKER)[0].rstrip()
    asked = questions()
    listing = "\n".join(
        f"{number}. [{question.title}](#{anchor(question.title)})"
        for number, question in enumerate(asked, start=1)
    )
    parts = [introduction, MARKER, listing]
    for question in asked:
        tables = ", ".join(f"`{table}`" for table in sorted(question.tables))
        file = f"[{question.path.name}](questions/{question.path.name})"
        parts.append(
            f"## {question.title}\n\n{question.meaning}\n\n{file} reads {tables}.\n\n"
            f"```sql\n{question.sql}\n```"
        )
    return "\n\n".join(parts) + "\n"


def anchor(title: str) -> str:
    """The name under which a heading can be linked to."""
    return re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")
