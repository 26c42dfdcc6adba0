"""When a round is due, what is killed when, and whose processor time counts."""

from dataclasses import dataclass, field

from pot.experiment.efficiency import SAMPLE_PPM
from pot.experiment.outages import Outages
from pot.experiment.outcome import CERTIFICATE_TERM_S, DEADLINE_S, waits_of
from pot.experiment.processor_time import by_role, spent

WHOLE = 2 * DEADLINE_S + CERTIFICATE_TERM_S


def test_waits__certificates_of_two_rounds__are_due_two_deadlines_and_the_term_after_the_last() -> None:
    times = [100.0, 0.0, 100.0 + WHOLE, 0.0, 101.0 + 2 * WHOLE]
    first, second = waits_of([(1, 2), (3, 4)], times)
    assert (first.rounds, second.rounds) == (2, 2)
    assert first.share == 1.0
    assert second.share > 1.0


def test_waits__certificate_of_one_round__has_one_deadline() -> None:
    (wait,) = waits_of([(1, 1)], [0.0, DEADLINE_S + CERTIFICATE_TERM_S])
    assert wait.share == 1.0


def test_waits__nothing_certified__is_none() -> None:
    assert waits_of([], [0.0]) == []


@dataclass
class Killed:
    events: list[str] = field(default_factory=list)

    def kill(self, name: str) -> int:
        self.events.append(f"kill {name}")
        return 1

    def restart(self, name: str) -> int:
        self.events.append(f"restart {name}")
        return 2


def test_outages__as_rounds_are_certified__kill_one_part_after_the_other_once() -> None:
    seen = Killed()
    outages = Outages(seen, 8)
    for tenth in range(11):
        outages.advance(tenth / 10, float(tenth))
        outages.advance(tenth / 10, float(tenth))
    assert [(item.names, item.at_s) for item in outages.done] == [
        (("miners-0", "miners-1"), 2.0),
        (("validator-1",), 4.0),
        (("coordinator",), 6.0),
        (("broker",), 8.0),
    ]
    assert seen.events.count("kill broker") == seen.events.count("restart broker") == 1


def test_outages__all_at_once__are_one_at_a_time() -> None:
    outages = Outages(Killed(), 2)
    outages.advance(1.0, 1.0)
    assert len(outages.done) == 1


def test_spent__a_program_that_started_anew__counts_from_its_start() -> None:
    assert spent({"a": 5.0, "gone": 3.0}, {"a": 7.0, "b": 2.0}) == {"a": 2.0, "b": 2.0}


def test_by_role__numbered_programs__are_summed() -> None:
    seconds = {"miner-1": 1.0, "miner-12": 2.0, "chain": 4.0}
    assert by_role(seconds) == {"miner": 3.0, "chain": 4.0}


def test_sample__of_the_dial__is_almost_seven_of_three_hundred() -> None:
    assert SAMPLE_PPM == 23_034
