"""`python -m dagster_project.lib.docs` writes the pages anew that follow from other files."""

from dagster_project.lib import contract
from dagster_project.lib.docs import entities, questions

contract.CONTRACT_FILE.write_text(contract.render(), encoding="utf-8")
questions.QUESTIONS_FILE.write_text(questions.render(), encoding="utf-8")
entities.ENTITIES_FILE.write_text(entities.render(), encoding="utf-8")
entities.PICTURE_FILE.write_text(entities.draw(), encoding="utf-8")
