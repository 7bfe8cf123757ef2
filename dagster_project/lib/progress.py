"""Progress of long work, for whoever is listening: the command line prints it, Dagster logs it."""

import logging

LOGGER = logging.getLogger("regulars")


def say(message: str) -> None:
    LOGGER.info(message)
