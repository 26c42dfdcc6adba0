"""Run scenarios by seed."""

from tests.simulation.plan import draw
from tests.simulation.restless import Restless, draw_restless
from tests.simulation.world import World


def run_seed(seed: int, n: int | None = None, *, real: bool = False, restless: bool = False) -> str | None:
    """What went wrong in the scenario of ``seed``, or None. Whatever is raised counts: an honest replica
    never lets an exception other than a refused message out."""
    try:
        if restless:
            Restless(draw_restless(seed, n)).run()
        else:
            World(draw(seed, n), real=real).run()
    except Exception as error:  # noqa: BLE001 - the hunt wants to know, whatever it is
        return f"{type(error).__name__}: {error}"
    return None


def transcript(seed: int, n: int | None = None, *, restless: bool = False) -> str:
    """The scenario of ``seed`` told line by line, with what went wrong at its end."""
    plan = draw_restless(seed, n) if restless else draw(seed, n)
    lines = [str(plan)]
    world = Restless(plan, trace=lines) if restless else World(plan, trace=lines)
    try:
        world.run()
    except Exception as error:  # noqa: BLE001 - it is what the reader wants to see
        lines.append(f"{world.now:8.2f}  {type(error).__name__}: {error}")
    return "\n".join(lines)
