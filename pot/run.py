"""The one place where a command's outcome becomes output and an exit status.

0 = done and true, 1 = it ran and the answer is no, 2 = wrong usage or configuration, 3 = a needed service is
unreachable. With ``--json`` stdout holds exactly one document, also when the command fails.
"""

import json
import logging
import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, redirect_stdout
from typing import Any

import typer

from pot.options import JSON_FLAG
from pot.output import Reply, print_reply
from pot.session import Session
from protocol.errors import PotError

EXIT_USAGE = 2
EXIT_INTERRUPTED = 130
EXIT_UNHEARD = 141
STDOUT, STDERR = 1, 2


def run(group: Any, argv: Sequence[str]) -> int:
    """Run ``argv`` on ``group``. A command returns a Reply, an exit status or None; it raises PotError
    to say no."""
    arguments = list(argv)
    session = Session(json=JSON_FLAG in arguments)
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(name)s: %(message)s")
    try:
        with _only_documents_on_stdout() if session.json else nullcontext():
            outcome = group.main(args=arguments, prog_name="pot", standalone_mode=False, obj=session)
    except PotError as error:
        return _failed(session, str(error), type(error).__name__, error.exit_code)
    except BrokenPipeError:
        return _unheard()
    except typer.TyperException as error:
        return _failed(session, _usage_sentence(error), "Usage", EXIT_USAGE)
    except (KeyboardInterrupt, typer.Abort):
        return _failed(session, "Interrupted.", "Interrupted", EXIT_INTERRUPTED)
    except Exception as error:  # noqa: BLE001 - the edge of the process: a defect must still end in the contract's form
        traceback.print_exc()
        return _failed(session, f"This is a defect of pot: {type(error).__name__}: {error}", "Defect", 1)
    try:
        exit_code = _finished(session, outcome)
        sys.stdout.flush()
    except BrokenPipeError:
        return _unheard()
    return exit_code


@contextmanager
def _only_documents_on_stdout() -> Iterator[None]:
    """Send to stderr what libraries print meanwhile, also those that write to the descriptor itself."""
    sys.stdout.flush()
    kept = os.dup(STDOUT)
    os.dup2(STDERR, STDOUT)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        os.dup2(kept, STDOUT)
        os.close(kept)


def _finished(session: Session, outcome: Any) -> int:
    match outcome:
        case Reply():
            print_reply(outcome, as_json=session.json)
            return 0 if outcome.ok else 1
        case int() if outcome == EXIT_INTERRUPTED:
            return _failed(session, "Interrupted.", "Interrupted", EXIT_INTERRUPTED)
        case int():
            return outcome
        case _:
            return 0


def _failed(session: Session, sentence: str, kind: str, exit_code: int) -> int:
    print(sentence, file=sys.stderr)
    if session.json:
        print(json.dumps({"ok": False, "error": kind, "message": sentence, "exit_code": exit_code}))
    return exit_code


def _unheard() -> int:
    """Whoever read stdout has closed it (``pot ... | head``): an end as by SIGPIPE, no defect. What
    is still buffered goes nowhere, so that the interpreter does not complain at its own end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, STDOUT)
    os.close(nowhere)
    return EXIT_UNHEARD


def _usage_sentence(error: typer.TyperException) -> str:
    message = error.format_message()
    return f"{message}{'' if message.endswith(('.', '?')) else '.'} {_help_hint(error)}"


def _help_hint(error: typer.TyperException) -> str:
    ctx = getattr(error, "ctx", None)
    return f"See `{ctx.command_path} --help`." if ctx is not None else "See `pot --help`."
