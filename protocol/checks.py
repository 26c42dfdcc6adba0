"""What a doctor reports: one line per thing that must be true before an actor starts."""

from collections.abc import Callable
from dataclasses import dataclass

from protocol.errors import PotError


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """``detail`` says what was found, ``fix`` the next step (empty when ``ok``)."""

    name: str
    ok: bool
    detail: str
    fix: str = ""


def checked(name: str, probe: Callable[[], str], fix: str) -> Check:
    """Run ``probe``; its text is the detail. A PotError is the answer "no", with ``fix`` as the next step."""
    try:
        return Check(name=name, ok=True, detail=probe())
    except PotError as error:
        return Check(name=name, ok=False, detail=str(error), fix=fix)
