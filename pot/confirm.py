"""Asking before something is signed that costs money."""

import sys

import typer

from protocol.errors import InvalidInput


def confirm(question: str, subject: str, *, assume_yes: bool) -> None:
    """Go on only with the consent of whoever sits there. Raises InvalidInput when nobody does, typer.Abort
    when the answer is no."""
    if assume_yes:
        return
    if not sys.stdin.isatty():
        raise InvalidInput(f"Nobody is there to confirm {subject}. Read it, then run the command with --yes.")
    typer.confirm(question, abort=True, err=True)
