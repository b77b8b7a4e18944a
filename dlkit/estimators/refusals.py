"""Which errors are ours and scikit-learn's at once?

scikit-learn's tools tell bad input by ValueError, TypeError and NotFittedError; everybody else who uses dlkit by
DlkitError. What an estimator raises is both.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from sklearn.exceptions import NotFittedError

from dlkit.errors import DataError, InputError, SettingsError


class EstimatorSettingsError(SettingsError, ValueError):
    """A parameter of an estimator that cannot be."""


class EstimatorDataError(DataError, ValueError):
    """Rows that cannot be learnt from."""


class EstimatorInputError(InputError, ValueError):
    """Rows that cannot be predicted on."""


class EstimatorTypeError(InputError, TypeError):
    """Rows of a type that no estimator takes."""


class EstimatorNotFittedError(SettingsError, NotFittedError):
    """An estimator that has learnt nothing yet."""


_BOTH = (
    EstimatorSettingsError,
    EstimatorDataError,
    EstimatorInputError,
    EstimatorTypeError,
    EstimatorNotFittedError,
)


@contextmanager
def refusing(where: str) -> Iterator[None]:
    """Errors of ours, raised in the block, become scikit-learn's as well; `where` opens their message."""
    try:
        yield
    except _BOTH as error:
        raise type(error)(f"{where}: {error}") from error
    except InputError as error:
        raise EstimatorInputError(f"{where}: {error}") from error
    except DataError as error:
        raise EstimatorDataError(f"{where}: {error}") from error
    except SettingsError as error:
        # A recipe says training.learning_rate to what is learning_rate here.
        said = re.sub(r"^(preprocessing|task|model|training)\.", "", str(error))
        raise EstimatorSettingsError(f"{where}: {said}") from error


@contextmanager
def checked_by_sklearn() -> Iterator[None]:
    """Errors of scikit-learn's own checks, called in the block and nothing else, become ours as well."""
    try:
        yield
    except _BOTH:
        raise
    except ValueError as error:
        raise EstimatorInputError(str(error)) from error
    except TypeError as error:
        raise EstimatorTypeError(str(error)) from error
