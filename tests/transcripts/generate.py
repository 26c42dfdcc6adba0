"""The agreement at work, told line by line: what a change of the core does to it shows as a difference in
git.

``python -m tests.transcripts.generate`` writes the files anew, on purpose only; ``test_transcripts.py``
compares.
"""

from dataclasses import dataclass, replace
from pathlib import Path

from committee.state import Output
from tests.simulation.plan import Ask, Crash, Plan, draw
from tests.simulation.world import Node, World

FOLDER = Path(__file__).parent
EVERYBODY = (0, 1, 2, 3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """A scenario and what it is meant to show; ``shows`` are words that must occur in it."""

    name: str
    title: str
    plan: Plan
    shows: tuple[str, ...]


class TellingWorld(World):
    """Tells of evidence as well."""

    def apply(self, node: Node, output: Output) -> None:
        for evidence in output.evidence:
            first, second = evidence.first, evidence.second
            what = f"{type(first).__name__} {first.digest[:3].hex()} and {second.digest[:3].hex()}"
            self.say(f"{node.name} == evidence against {first.sender}: {what} at {first.seq}")
        super().apply(node, output)


def _plan(
    seed: int, *asks: Ask, faulty: dict[int, str] | None = None, crashes: tuple[Crash, ...] = ()
) -> Plan:
    faulty = faulty or {}
    return replace(
        draw(0, 4),
        seed=seed,
        faulty=faulty,
        seqs=max(ask.seq for ask in asks),
        window=8,
        heal_at=0.0,
        drop=0.0,
        loses=None,
        duplicate=0.0,
        wild_delay=0.5,
        calm_delay=0.3,
        cut=None,
        crashes=crashes,
        asks=asks,
        check_delay=0.0,
        late=0.0,
        abstaining=frozenset(),
        finality="none",
        honest=tuple(i for i in EVERYBODY if i not in faulty),
    )


def _ask(seq: int, value: bytes, at: float = 0.0) -> Ask:
    return Ask(at=at, seq=seq, value=value, of=EVERYBODY)


STORIES = (
    Story(
        name="normal_case",
        title="One value, nobody fails.",
        plan=_plan(4, _ask(1, b"good")),
        shows=("PrePrepare sender=0", "Prepare", "Commit", "Reply", "decided 1: good"),
    ),
    Story(
        name="view_change",
        title="The primary of view 0 is silent; view 1 decides.",
        plan=_plan(6, _ask(1, b"good"), faulty={0: "silent"}),
        shows=("ViewChange sender=1", "NewView sender=1 view=1", "== view 1", "decided 1: good"),
    ),
    Story(
        name="lying_primary",
        title="The primary proposes two values, is convicted by its signatures, and one value is decided.",
        plan=_plan(394, _ask(1, b"good"), _ask(1, b"great"), faulty={0: "liar"}),
        shows=("== evidence against 0: PrePrepare", "decided 1:"),
    ),
    Story(
        name="recovery",
        title="A member dies between its disk and its messages, comes back, and fetches what it missed.",
        plan=_plan(
            6,
            _ask(1, b"good"),
            _ask(2, b"great", at=4.0),
            crashes=(Crash(node=3, at=0.1, point="after persist", down=8.0),),
        ),
        shows=(
            "3 -- dies after persist",
            "3 -- rises with",
            "Fetch sender=3",
            "Decision",
            "3 == decided 2: great",
        ),
    ),
)


def tell(story: Story) -> str:
    """The transcript. Raises Violation when the scenario breaks a promise."""
    lines = [f"# {story.title}", "# ticks  who <- what it hears, == what it concludes, -- what befalls it"]
    TellingWorld(story.plan, trace=lines).run()
    return "\n".join(lines) + "\n"


def main() -> None:
    for story in STORIES:
        (FOLDER / f"{story.name}.txt").write_text(tell(story))


if __name__ == "__main__":
    main()
