"""What can go wrong, and with which exit code does the command line end?

::

    DlkitError                    1  anything that dlkit itself reports
    ├── DataError                 1  the rows are there, but they are not usable
    │   └── DataNotFoundError     4  the rows are not there (or cannot be read)
    ├── SettingsError             2  a name, a setting or a combination that does not exist
    │   └── InputError            2  an input to predict on that the model cannot take
    ├── TrainingError             1  training could not go on (NaN)
    │   └── NothingTrainedError   1  interrupted before the first epoch was done
    ├── RunError                  1  a run folder that is damaged, newer than this dlkit, or in use
    │   └── RunNotFoundError      2  no such run
    ├── ExportError               1  an artefact could not be written
    │   └── DisagreementError     3  an artefact answers differently from its model
    └── MissingExtraError         1  an optional package is needed: the message is the command

Every message says where, what was expected, what came, and the remedy.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class DlkitError(Exception):
    """Base of all errors that dlkit raises on purpose."""

    exit_code = 1


class DataError(DlkitError):
    """The data is there but cannot be used as it is."""


class DataNotFoundError(DataError):
    """The data is not there, or may not be read."""

    exit_code = 4


class SettingsError(DlkitError):
    """A recipe, model, option or value that does not exist or does not fit."""

    exit_code = 2


class InputError(SettingsError):
    """A raw input that the model cannot take."""


class TrainingError(DlkitError):
    """Training could not start or go on."""


class NothingTrainedError(TrainingError):
    """The user interrupted before there was anything to keep."""


class RunError(DlkitError):
    """A run folder that cannot be used."""


class RunNotFoundError(RunError):
    """No run under that name or path."""

    exit_code = 2


class ExportError(DlkitError):
    """An artefact could not be written."""


class DisagreementError(ExportError):
    """An artefact does not answer as the Keras model does."""

    exit_code = 3


class MissingExtraError(DlkitError):
    """An optional package is missing; the message holds the command that installs it."""

    def __init__(self, purpose: str, extra: str) -> None:
        super().__init__(f"{purpose} needs an optional package: pip install 'dlkit[{extra}]'")


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of an error about an unknown name: the nearest known one, and all of them."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return f"{hint} Known: {', '.join(names) or 'none'}."


def misspelt(names: Iterable[str], known: Iterable[str]) -> str:
    """The end of an error about names that are not there, one of which is nearly that of a known one; "" otherwise."""
    by_case = {one.casefold(): one for one in known}
    for name in names:
        if close := difflib.get_close_matches(name.casefold(), by_case, n=1, cutoff=0.8):
            return f" Did you mean {name!r} by {by_case[close[0]]!r}?"
    return ""
