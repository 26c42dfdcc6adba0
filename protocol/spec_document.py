"""What all specs are: immutable documents with one canonical form, whose sha256 the chain stores."""

from typing import Any, Final, Self

import msgspec

from protocol.canonical import canonical_json, is_canonical
from protocol.errors import InvalidInput
from protocol.ids import Sha256, sha256

MAX_SPEC_BYTES: Final = 64 * 1024


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every part of a spec: immutable, named fields only, unknown fields refused."""


class SpecDocument(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole spec. ``parse`` is the only way in for bytes; it answers bad input with a sentence that names
    the field."""

    def check(self) -> None:
        """What no single field shows. Raises InvalidInput."""
        raise NotImplementedError

    @classmethod
    def from_value(cls, value: Any) -> Self:
        """Validate a parsed document. Raises InvalidInput with a sentence that names the field."""
        try:
            spec = msgspec.convert(value, cls)
        except msgspec.ValidationError as error:
            raise InvalidInput(sentence_of(error, value)) from error
        spec.check()
        canonical_json(spec.to_value())
        return spec

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Parse a spec blob. Raises InvalidInput when it is too large, not canonical JSON or not valid."""
        if len(data) > MAX_SPEC_BYTES:
            raise InvalidInput(f"A spec of {len(data)} bytes exceeds the limit of {MAX_SPEC_BYTES}.")
        try:
            value = msgspec.json.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise InvalidInput(f"The spec is not JSON: {error}.") from error
        spec = cls.from_value(value)
        if not is_canonical(data, spec.to_value()):
            raise InvalidInput(
                "The spec is not in canonical form (sorted keys, no white space, every field present)."
            )
        return spec

    def to_value(self) -> dict[str, Any]:
        value: dict[str, Any] = msgspec.to_builtins(self)
        return value

    @property
    def blob(self) -> bytes:
        """The canonical bytes."""
        return canonical_json(self.to_value())

    @property
    def hash(self) -> Sha256:
        return sha256(self.blob)


def sentence_of(error: msgspec.ValidationError, value: Any) -> str:
    """``Expected `int` <= 10 - at `$.recipe.rounds``` -> ``recipe.rounds is 1000: expected `int` <= 10.``"""
    detail, _, path = str(error).partition(" - at `")
    names = path.rstrip("`").removeprefix("$").strip(".").split(".")
    found = value
    for name in filter(None, names):
        found = found.get(name) if isinstance(found, dict) else None
    where = ".".join(filter(None, names)) or "the document"
    shown = f" is {str(found)[:60]!r}" if found is not None and not isinstance(found, dict | list) else ""
    return f"The spec cannot be used: {where}{shown}: {detail[:1].lower()}{detail[1:]}."
