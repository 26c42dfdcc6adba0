"""What a demo is asked for: parsed strictly, refused in words, and judged from its report alone."""

from pathlib import Path

import pytest

from pot.demo.disturbances import parse_adversaries, parse_victims
from pot.demo.plan import DemoPlan, demo_draft
from pot.demo.verdict import judge
from pot.report.document import Accuracy, Audit, Disturbance, Escrow, Replay, Report, Round, Slash
from protocol.errors import InvalidInput

OUT = Path("/nowhere")
CHEAT = "0x" + "11" * 20


def good_report() -> Report:
    return Report(
        task_id="1",
        rounds=2,
        rounds_wanted=2,
        history=[
            Round(round=n, loss=1.0, accuracy=0.9, shards=4, miners=4, model_sha256="00") for n in (1, 2)
        ],
        accuracy=Accuracy(network=0.9, centralized=0.9),
        escrow=Escrow(funded="10", paid="7", refunded="3"),
        audit=Audit(ok=True, rounds_replayed=2),
        replay=Replay(identical=True, model_sha256="00"),
        accounts={CHEAT: "miner-1"},
    )


def test_parse_adversaries__kinds_and_numbers__name_the_first_miners() -> None:
    assert parse_adversaries(["lazy:2", "stale"], 4) == {1: "lazy", 2: "lazy", 3: "stale"}
    assert parse_adversaries([], 4) == {}


@pytest.mark.parametrize("text", ["lzy", "", "lazy:0", "lazy:x", "lazy:", "lazy:-1", "lazy:5", "lazy:１"])
def test_parse_adversaries__unknown_kind_or_number__is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_adversaries([text], 4)


def test_parse_adversaries__unknown_kind__lists_the_known_ones() -> None:
    with pytest.raises(InvalidInput, match=r"known are lazy, random, stale"):
        parse_adversaries(["evil"], 4)


def test_parse_adversaries__nobody_honest_left__is_refused() -> None:
    with pytest.raises(InvalidInput, match="at least one honest"):
        parse_adversaries(["lazy:4"], 4)


def test_parse_victims__known_and_unknown__are_kept_and_refused() -> None:
    assert parse_victims(["primary", "broker"]) == ["primary", "broker"]
    with pytest.raises(InvalidInput, match=r"miner, primary, coordinator, broker can"):
        parse_victims(["chain"])


def test_killings__several_victims__are_spread_over_the_rounds() -> None:
    plan = DemoPlan(out=OUT, rounds=20, victims=("primary", "coordinator", "broker"))
    assert plan.killings() == [(5, "primary"), (10, "coordinator"), (15, "broker")]
    assert DemoPlan(out=OUT, rounds=2, victims=("miner",)).killings() == [(1, "miner")]


@pytest.mark.parametrize(
    "plan",
    [
        {"rounds": 0},
        {"rounds": 1, "victims": ("miner",)},
        {"rounds": 1_001},
        {"victims": ("primary", "primary")},
        {"miners": 2, "adversaries": {1: "lazy"}, "victims": ("miner",)},
    ],
)
def test_plan__cannot_end_well__is_refused(plan: dict[str, object]) -> None:
    with pytest.raises(InvalidInput):
        DemoPlan(out=OUT, **plan)  # type: ignore[arg-type]


def test_demo_draft__any_number_of_rounds__is_a_valid_spec() -> None:
    spec = demo_draft(DemoPlan(out=OUT, rounds=3)).spec
    assert (spec.recipe.rounds, spec.recipe.shards, spec.limits.min_shards) == (3, 4, 4)
    assert spec.verification.sample_ppm == 1_000_000


def test_judge__everything_as_it_should_be__is_ok() -> None:
    report = good_report()
    judge(report, DemoPlan(out=OUT, rounds=2))
    assert (report.ok, report.problems) == (True, [])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"rounds": 1}, "1 of 2 rounds"),
        ({"escrow": Escrow(funded="10", paid="7", refunded="2")}, "does not balance"),
        ({"audit": Audit(ok=False, problem="blob ab: gone")}, "blob ab: gone"),
        ({"replay": Replay(identical=False, model_sha256="01")}, "one process computes"),
        ({"accuracy": Accuracy(network=0.9, centralized=0.906)}, "points apart"),
    ],
)
def test_judge__one_thing_wrong__is_not_ok_and_says_what(change: dict[str, object], words: str) -> None:
    report = good_report()
    for name, value in change.items():
        setattr(report, name, value)
    judge(report, DemoPlan(out=OUT, rounds=2))
    assert not report.ok
    assert any(words in problem for problem in report.problems)


def test_judge__a_lazy_miner__must_be_slashed_and_unpaid() -> None:
    plan = DemoPlan(out=OUT, rounds=2, adversaries={1: "lazy"})
    for slashed, paid, ok in ((True, False, True), (False, False, False), (True, True, False)):
        report = good_report()
        report.disturbances = [Disturbance(kind="lazy", target="miner-1")]
        report.payouts = {CHEAT: "5"} if paid else {}
        slash = Slash(miner=CHEAT, round=1, shard=0, amount="5", bounty="0", sent_by="", tx_hash="")
        report.slashes = [slash] if slashed else []
        judge(report, plan)
        assert report.ok is ok


def test_judge__nothing_ran__is_not_ok() -> None:
    report = Report(rounds_wanted=2)
    judge(report, DemoPlan(out=OUT, rounds=2))
    assert not report.ok
