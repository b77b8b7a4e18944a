"""Which rows does a request ask about, and in which form do the answers go back?

TensorFlow Serving knows two forms: by row, `{"instances": [row, …]}` to `{"predictions": [answer, …]}`, and by
column, `{"inputs": {column: [value, …]}}` to `{"outputs": {key: [value, …]}}`. A text that is not JSON may be
sent as `{"b64": "…"}`.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dlkit.contracts import ColumnKind
from dlkit.errors import InputError, did_you_mean

SIGNATURE = "serving_default"
_KEYS = ("inputs", "instances", "signature_name")


@dataclass(frozen=True)
class Question:
    """Items as `Predictor.predict` takes them; `by_column` is the form of the request and of its answer. `signature`:
    what is asked for; the items of "decode" are objects with a "code".
    """

    items: Sequence[object]
    by_column: bool
    signature: str = SIGNATURE


def read_question(body: bytes, kinds: Mapping[str, ColumnKind], signatures: Sequence[str] = (SIGNATURE,)) -> Question:
    """A request's body as items; InputError where it is no such request. The items' values are not checked here."""
    content = _read_json(body)
    if not isinstance(content, dict):
        raise InputError(f'Expected a JSON object, {{"instances": […]}}; got {_type(content)}.')
    for key in content:
        if key not in _KEYS:
            raise InputError(f"A request has no key {key!r}.{did_you_mean(key, _KEYS)}")
    signature = content.get("signature_name", SIGNATURE) or SIGNATURE
    if signature not in signatures:
        known = f"signatures are {', '.join(signatures)}" if len(signatures) > 1 else f"only signature is {SIGNATURE!r}"
        raise InputError(f"The {known}; got {signature!r}.")
    if signature == "decode":
        kinds = {"code": "series", "label": "category"}
    if ("instances" in content) == ("inputs" in content):
        raise InputError('Expected either "instances" (a list of rows) or "inputs" (columns), one of the two.')
    by_column = "inputs" in content
    rows = _from_columns(content["inputs"], kinds) if by_column else content["instances"]
    if not isinstance(rows, list):
        raise InputError(f'"instances" is a list of rows; got {_type(rows)}. Put a single row into a list.')
    if not rows:
        raise InputError("Expected at least one row; got an empty list.")
    items = [_decoded(row, number, kinds) for number, row in enumerate(rows, start=1)]
    return Question(items, by_column, str(signature))


def write_answers(answers: Sequence[Mapping[str, object]], *, by_column: bool) -> dict[str, object]:
    """Answers in the form of the request; in columns, a key that an answer lacks is null."""
    if not by_column:
        return {"predictions": list(answers)}
    keys = list(dict.fromkeys(key for answer in answers for key in answer))
    return {"outputs": {key: [answer.get(key) for answer in answers] for key in keys}}


def _read_json(body: bytes) -> object:
    try:
        content = json.loads(body.decode("utf-8-sig"), parse_constant=_no_constant, parse_float=_finite)
        if b"\\ud" in body.lower():  # half of a surrogate pair, which is no text and cannot be encoded again
            json.dumps(content, ensure_ascii=False).encode()
    except UnicodeDecodeError as error:
        raise InputError(f"The request is not UTF-8 (byte {error.start}).") from None
    except UnicodeEncodeError:
        raise InputError("A text holds half of a surrogate pair (\\ud800 to \\udfff), which is no character.") from None
    except json.JSONDecodeError as error:
        raise InputError(f"The request is not JSON: {error}.") from None
    except RecursionError:
        raise InputError("The request's JSON is nested too deeply.") from None
    except ValueError as error:  # an integer of more than 4,300 digits
        raise InputError(f"The request holds a number that cannot be read: {error}.") from None
    return content


def _no_constant(name: str) -> float:
    raise InputError(f"JSON has no {name}. Write null for a value that is missing.")


def _finite(digits: str) -> float:
    if math.isinf(number := float(digits)):
        raise InputError(f"The number {digits[:40]} is too large. Write null for a value that is missing.")
    return number


def _from_columns(inputs: object, kinds: Mapping[str, ColumnKind]) -> list[object]:
    if isinstance(inputs, list) and len(kinds) == 1:  # TensorFlow Serving lets a single input go unnamed
        return inputs
    if not isinstance(inputs, dict):
        raise InputError(f'"inputs" is an object of columns ({", ".join(kinds)}); got {_type(inputs)}.')
    for name, column in inputs.items():
        if name not in kinds:
            raise InputError(f"The model has no column {name!r}.{did_you_mean(name, kinds)}")
        if not isinstance(column, list):
            raise InputError(f"Column {name!r}: expected a list, a value for each row; got {_type(column)}.")
    lengths = {name: len(column) for name, column in inputs.items()}
    if len(set(lengths.values())) > 1:
        raise InputError(f"The columns differ in length: {', '.join(f'{name} {n}' for name, n in lengths.items())}.")
    names = list(inputs)
    return [dict(zip(names, row, strict=True)) for row in zip(*inputs.values(), strict=True)]


def _decoded(row: object, number: int, kinds: Mapping[str, ColumnKind]) -> object:
    """The row with each `{"b64": …}` as the text, or the picture, that it stands for."""
    only = next(iter(kinds.values())) if len(kinds) == 1 else None
    if not isinstance(row, dict):
        return _value(row, f"Item {number}", only)
    if "b64" in row and "b64" not in kinds:
        return _from_base64(row, f"Item {number}", only)
    return {
        name: _from_base64(value, f"Item {number}, column {name!r}", kinds.get(name))
        if _is_base64(value)
        else _value(value, f"Item {number}, column {name!r}", kinds.get(name))
        for name, value in row.items()
    }


def _value(value: object, where: str, kind: ColumnKind | None) -> object:
    """A text in the place of a picture would be a path on this server: nobody may ask for its files."""
    if kind == "image" and isinstance(value, str):
        raise InputError(f'{where}: a picture is {{"b64": "base64 of a JPEG or PNG"}} or rows of pixels, no text.')
    return value


def _is_base64(value: object) -> bool:
    return isinstance(value, dict) and set(value) == {"b64"}


def _from_base64(value: Mapping[str, object], where: str, kind: ColumnKind | None) -> str | bytes:
    coded, what = value["b64"], "picture" if kind == "image" else "text"
    if not isinstance(coded, str) or len(value) > 1:
        raise InputError(f'{where}: expected {{"b64": "base64 of a {what}"}} and nothing beside it.')
    try:
        if kind == "image":
            return base64.b64decode(coded, validate=True)
        return base64.b64decode(coded, validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        raise InputError(
            f'{where}: "b64" is not the base64 form of a {what}{"" if kind == "image" else " in UTF-8"}.'
        ) from None


def _type(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")
