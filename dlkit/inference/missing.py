"""Which fields of a file or a request say that a value is not known?"""

from __future__ import annotations

_MISSING = frozenset({"", "na", "n/a", "nan", "nat", "null", "none", "?"})


def is_missing(field: str) -> bool:
    """Whether a field says so, in capitals or not, and with spaces around it: "", "NA", "n/a", "NaN", "null", "?"…"""
    return field.strip().lower() in _MISSING
