"""``pot export``: a certified model in other formats."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from pot.output import Reply
from pot.session import session_of

app = typer.Typer(add_completion=False)


class Format(StrEnum):
    """What a model can be written as; neither can hold code."""

    NPZ = "npz"
    SAFETENSORS = "safetensors"


@app.callback()
def export() -> None:
    """A certified model in other formats."""


@app.command()
def model(
    ctx: typer.Context,
    task: Annotated[
        int | None, typer.Option("--task", min=1, help="The certified model of this task.")
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--file", help="A checkpoint that `pot task fetch` wrote.")
    ] = None,
    form: Annotated[
        Format, typer.Option("--format", help="npz (numpy alone reads it) or safetensors.")
    ] = Format.NPZ,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Where to write it.")] = None,
) -> Reply:
    """Write the model's parameters alone, each under its own name."""
    from pot.export import export_model

    return export_model(session_of(ctx).client("poster"), task=task, file=file, form=form.value, out=out)
