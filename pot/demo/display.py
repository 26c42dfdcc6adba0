"""What a demo shows while it runs: a bar on a terminal, plain lines elsewhere; always on stderr."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from pot.amounts import TOKEN_DECIMALS, TOKEN_SYMBOL, format_amount
from pot.report.document import Round


class Display(Protocol):
    """Where progress goes."""

    def say(self, line: str) -> None: ...

    def round(self, done: Round, total: int, left: int) -> None: ...


def round_line(done: Round, total: int, left: int) -> str:
    """One certified round in words; ``left`` is the escrow left, in smallest units."""
    return (
        f"round {done.round}/{total}  loss {done.loss:.3f}  accuracy {100 * done.accuracy:.1f} %  "
        f"{done.miners} miners  {format_amount(left)} of escrow left"
    )


class Lines:
    """For logs and pipes."""

    def say(self, line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    def round(self, done: Round, total: int, left: int) -> None:
        self.say(round_line(done, total, left))


@contextmanager
def display(*, plain: bool) -> Iterator[Display]:
    """A bar that fills with certified rounds where stderr is a terminal, lines where it is not."""
    if plain or not sys.stderr.isatty():
        yield Lines()
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TimeElapsedColumn(), BarColumn(bar_width=12), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        row = bar.add_task("starting", total=None)

        class Terminal:
            def say(self, line: str) -> None:
                bar.console.print(line, highlight=False, markup=False)

            def round(self, done: Round, total: int, left: int) -> None:
                # Eighty columns hold the clock, the bar and this.
                text = (
                    f"{done.round}/{total}  loss {done.loss:.3f}  accuracy {100 * done.accuracy:.1f} %  "
                    f"{done.miners} miners  {left // 10**TOKEN_DECIMALS:,} {TOKEN_SYMBOL} left"
                )
                bar.update(row, total=total, completed=done.round, description=text)

        yield Terminal()
