"""Canonical JSON: sorted keys, no white space, UTF-8, no floats; equal values have equal bytes."""

import json
from typing import Any

from protocol.errors import InvalidInput


def canonical_json(value: Any) -> bytes:
    """Encode ``value`` (dicts, lists, str, int, bool, None). Raises InvalidInput on a float: they do not
    round-trip between languages, so numbers travel as integers or decimal strings; and on text that UTF-8
    cannot carry."""
    _refuse_floats(value, "$")
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise InvalidInput(f"A text is not valid Unicode: {error.reason}.") from error


def _refuse_floats(value: Any, path: str) -> None:
    match value:
        case float():
            raise InvalidInput(f"{path} is the float {value}; write it as an integer or a decimal string.")
        case dict():
            for key, item in value.items():
                if not isinstance(key, str):
                    raise InvalidInput(f"{path} has the key {key!r}, which is not a string.")
                _refuse_floats(item, f"{path}.{key}")
        case list() | tuple():
            for index, item in enumerate(value):
                _refuse_floats(item, f"{path}[{index}]")
        case _:
            return


def is_canonical(data: bytes, value: Any) -> bool:
    """Whether ``data`` is exactly the canonical encoding of ``value``."""
    return canonical_json(value) == data
