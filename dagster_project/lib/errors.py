"""The errors a person is meant to read: one line that says what, where and what to do."""


class RegularsError(Exception):
    """Base of all of them; `exit_code` is what the command line ends with."""

    exit_code = 1


class InputError(RegularsError):
    """What was asked for cannot be done with these files, options or settings."""

    exit_code = 2


class CheckFailed(RegularsError):
    """A critical check failed; the last published version stays."""

    exit_code = 1


class StorageError(RegularsError):
    """Files could not be read or written; tried again, it may go well."""


class BusyError(RegularsError):
    """Another run is writing to this warehouse."""

    exit_code = 3


class Unreachable(RegularsError):
    """A server is away, or went; the same again may succeed."""

    exit_code = 1
