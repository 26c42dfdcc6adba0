"""Scores that a quorum signs are challenged on a real chain: a larger court counts again."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import pytest

from anvil.toolchain import PROJECT_ROOT
from committee.adversary import LyingScorer
from committee.node import ValidatorNode
from pot.cli import main
from protocol.chain.contest import ContestStatus, Outcome
from protocol.chain.contest_log import accepted_certificates, contest_events
from protocol.contest import NO_SCORE, winner_of
from protocol.contest_spec import ContestSpec
from protocol.ids import Address
from tests.support.contest_world import ContestWorld
from tests.support.contests import answers, contest_spec
from tests.support.court_world import COMMITTEE, VALIDATORS, CourtWorld, court_world

pytestmark = pytest.mark.timeout(400)
Pot = Callable[..., tuple[int, Any]]
COURT: Final = 2 * COMMITTEE - 1
LIARS: Final = 3
"""A quorum of a committee of four."""
WINDOW_S: Final = 300
ROLES: Final = ("poster", "challenger", "treasury", "miner-1", "miner-2")


@dataclass(kw_only=True)
class Trial:
    """One contest with its committee at work; ``contests`` handles it, ``world`` is where it happens."""

    world: CourtWorld
    contests: ContestWorld
    contest_id: int
    committee: list[str]

    @property
    def outside(self) -> list[str]:
        return [name for name in self.world.ports if name not in self.committee]

    def panel(self, instance: int) -> tuple[Address, ...]:
        return self.contests.contracts.contest.panels().members(self.contest_id, instance)

    def scores(self) -> list[tuple[int, ...]]:
        """What each accepted certificate says, the committee's first."""
        accepted = accepted_certificates(self.contests.contracts, self.contest_id)
        return [signed.certificate.scores for signed in accepted]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CourtWorld]:
    with court_world(tmp_path_factory.mktemp("contest-court")) as made:
        yield made


@pytest.fixture(autouse=True)
def no_nodes_left(world: CourtWorld) -> Iterator[None]:
    yield
    world.stop_nodes()


@pytest.fixture
def pot(world: CourtWorld, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Pot:
    monkeypatch.chdir(world.folder)

    def run(*words: str) -> tuple[int, Any]:
        capsys.readouterr()
        status = main([*words, "--json"])
        return status, json.loads(capsys.readouterr().out)

    return run


def disputed_spec() -> ContestSpec:
    """A small committee, and time to challenge its scores."""
    return contest_spec(checks={"committee_size": COMMITTEE}, limits={"challenge_window_s": WINDOW_S})


def scored(world: CourtWorld, liars: int) -> Trial:
    """A contest of two honest miners whose committee, some of it lying, has certified scores."""
    contests = ContestWorld(
        folder=world.folder, contracts=world.contracts, accounts=world.accounts, blobs=world.blobs
    )
    contest_id = contests.post(disputed_spec())
    miners = [contests.contestant(name) for name in ("miner-1", "miner-2")]
    for miner in miners:
        miner.enter(contest_id)
    contests.release(contest_id)
    for miner in miners:
        assert miner.reveal_due() == [contest_id]
    panels = world.contracts.contest.panels()
    world.mine(3)
    world.send("poster", panels.draw(contest_id, 0))
    committee = world.names_of(panels.members(contest_id, 0))
    for place, name in enumerate(committee):
        world.start_node(name, LyingScorer if place < liars else ValidatorNode)
    contests.until(contest_id, ContestStatus.SCORED)
    return Trial(world=world, contests=contests, contest_id=contest_id, committee=committee)


def judged(trial: Trial) -> None:
    """The court comes to its word, and the contest to its end."""
    for name in trial.outside:
        trial.world.start_node(name)
    trial.contests.until(trial.contest_id, ContestStatus.CLOSED)


def everything(world: CourtWorld) -> int:
    """All money of everybody: in hands, in stakes, in the contract."""
    contracts = world.contracts
    people = [world.address(name) for name in (*ROLES, *world.ports)]
    in_hands = sum(contracts.token.balance_of(account) for account in people)
    return in_hands + sum(
        map(contracts.token.balance_of, (contracts.vault.address, contracts.contest.address))
    )


def collect_all(world: CourtWorld) -> None:
    contest = world.contracts.contest
    for name in (*ROLES, *world.ports):
        if contest.owed(world.address(name)):
            world.send("poster", contest.collect(world.address(name)))
    assert world.contracts.token.balance_of(contest.address) == 0


@pytest.mark.slow
def test_challenge__quorum_lies__court_counts_again_and_liars_pay(world: CourtWorld, pot: Pot) -> None:
    total = everything(world)
    trial = scored(world, LIARS)
    number, contest = str(trial.contest_id), world.contracts.contest
    status, audit = pot("contest", "audit", number)
    assert (status, audit["ok"]) == (1, False)
    assert [check["subject"] for check in audit["checks"] if not check["ok"]] == ["scores"]
    false_winner = contest.contest(trial.contest_id).winner
    stakes = {name: world.stake(world.address(name)) for name in world.ports}
    before, treasury = world.balance("challenger"), world.balance("treasury")

    status, challenged = pot("contest", "challenge", number, "--keystore", "challenger", "--yes")
    assert (status, int(challenged["bond"])) == (0, contest.bond())
    assert world.balance("challenger") == before - contest.bond()
    judged(trial)

    committee, court = trial.panel(0), trial.panel(1)
    assert len(court) == COURT == VALIDATORS - COMMITTEE
    assert not set(court) & set(committee)
    lied, true = trial.scores()
    state = contest.contest(trial.contest_id)
    assert (state.outcome, state.decided_by) == (Outcome.WON, 1)
    assert max(lied) == answers()
    assert state.winner == winner_of(true, answers(), answers() // 4) != false_winner
    winner = contest.entries(state)[state.winner or 0].miner
    assert contest.owed(winner) == 1000

    taken = contest_events(world.contracts, "SignerSlashed", trial.contest_id)
    assert {args["signer"] for _, args in taken} == {world.address(n) for n in trial.committee[:LIARS]}
    for name, stake in stakes.items():
        lost = stake - world.stake(world.address(name))
        assert lost == (stake // 10 if name in trial.committee[:LIARS] else 0)
    slashed = LIARS * (stakes[trial.committee[0]] // 10)
    bounty = world.balance("challenger") + contest.bond() - before
    assert 0 < bounty < slashed
    assert world.balance("treasury") - treasury == slashed - bounty
    assert contest.owed(world.address("challenger")) == contest.bond()

    collect_all(world)
    assert world.balance("challenger") == before + bounty
    assert everything(world) == total
    status, audit = pot("contest", "audit", number)
    assert (status, audit["ok"]) == (0, True)
    assert "court's word" in [check["subject"] for check in audit["checks"]]


@pytest.mark.slow
def test_challenge__scores_are_true__they_stand_and_the_bond_is_lost(world: CourtWorld, pot: Pot) -> None:
    total = everything(world)
    trial = scored(world, 0)
    number, contest = str(trial.contest_id), world.contracts.contest
    assert pot("contest", "audit", number)[0] == 0
    status, error = pot("contest", "challenge", number, "--keystore", "challenger", "--yes")
    assert (status, "would be lost" in error["message"]) == (1, True)
    before, treasury = world.balance("challenger"), world.balance("treasury")
    words = ("contest", "challenge", number, "--keystore", "challenger", "--yes", "--unchecked")
    assert pot(*words)[0] == 0
    judged(trial)

    state = contest.contest(trial.contest_id)
    first, second = trial.scores()
    assert first == second
    assert NO_SCORE not in first
    assert (state.outcome, state.decided_by) == (Outcome.WON, 0)
    assert contest_events(world.contracts, "SignerSlashed", trial.contest_id) == []
    collect_all(world)
    half = contest.bond() // 2
    assert world.balance("challenger") == before - contest.bond()
    assert world.balance("treasury") - treasury == contest.bond() - half
    assert everything(world) == total
    assert pot("contest", "audit", number)[0] == 0


def test_post__same_words_as_quote__and_nothing_is_signed_unconfirmed(world: CourtWorld, pot: Pot) -> None:
    example = str(PROJECT_ROOT / "examples" / "digits-contest.yaml")
    before = world.contracts.contest.count()
    status, quoted = pot("contest", "quote", example)
    assert (status, quoted["committee"]["n"]) == (0, VALIDATORS)
    assert int(quoted["bond"]) == world.contracts.contest.bond()
    status, error = pot("contest", "post", example)
    assert (status, "Nobody is there to confirm" in error["message"]) == (2, True)
    assert world.contracts.contest.count() == before
    status, posted = pot("contest", "post", example, "--yes")
    assert (status, posted["contest_id"]) == (0, str(before + 1))
    assert posted["gas_used"] <= posted["quote"]["gas"]["post"]
    measured = {"gas", "seconds", "spec_hash"}  # the price, the clock, and a fresh key each time
    for name in quoted.keys() - measured:
        assert posted["quote"][name] == quoted[name]
    assert pot("contest", "cancel", posted["contest_id"])[0] == 0
