"""What a command answers: one value for programs, and the same for people."""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TextIO


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows of text under headings: a drawn table on a terminal, aligned plain lines elsewhere."""

    title: str = ""
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """``data`` is the JSON document (money as decimal strings); ``text`` holds lines and tables for people;
    ``ok`` False means that the command ran and the answer is no (exit status 1)."""

    data: Any
    text: Sequence[str | Table] = field(default=())
    ok: bool = True


def print_reply(reply: Reply, *, as_json: bool) -> None:
    """Write the reply to stdout, as exactly one JSON document or as text."""
    if as_json:
        json.dump(reply.data, sys.stdout, indent=2, ensure_ascii=False)
        sys.stdout.write("\n")
        return
    print_lines(reply.text, sys.stdout)


def print_lines(text: Sequence[str | Table], stream: TextIO) -> None:
    """Write lines and tables for people."""
    for item in text:
        if isinstance(item, str):
            print(item, file=stream)
        else:
            _print_table(item, stream)


def _print_table(table: Table, stream: TextIO) -> None:
    if stream.isatty():
        from rich.console import Console
        from rich.table import Table as Drawn

        drawn = Drawn(*table.columns, title=table.title or None, title_justify="left")
        for row in table.rows:
            drawn.add_row(*row)
        Console(file=stream).print(drawn)
        return
    if table.title:
        print(table.title, file=stream)
    lines = [tuple(table.columns), *map(tuple, table.rows)]
    widths = [max(len(line[index]) for line in lines) for index in range(len(table.columns))]
    for line in lines:
        print(
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip(),
            file=stream,
        )


def facts(pairs: Sequence[tuple[str, object]]) -> list[str]:
    """``name: value`` lines with the values aligned."""
    width = max((len(name) for name, _ in pairs), default=0)
    return [f"{name.ljust(width)}  {value}" for name, value in pairs]
