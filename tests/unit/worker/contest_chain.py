"""A chain's side of contests in memory, for miners and for whoever reads specs."""

from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any, cast

from protocol.chain.contest import ContestParams, ContestStatus, OnchainContest, OnchainEntry, Outcome
from protocol.chain.contest_log import ContestView, read_contest
from protocol.chain.contract import Call
from protocol.chain.contracts import Contracts
from protocol.chain.sender import Receipt
from protocol.contest_spec import ContestSpec
from protocol.ids import ZERO32, Address, EpochNo, Sha256, parse_address, sha256
from protocol.sealed import key_hash
from protocol.typed_data import Domain
from tests.support.contests import KEY

NOW_S = 1_000_000
MINER, POSTER = Address("0x" + "21" * 20), Address("0x" + "41" * 20)
CONTRACT = parse_address("0x" + "11" * 20)
PARENT = sha256(b"head")


@dataclass(kw_only=True)
class ContestChain:
    """Answers as LearningContest and its endpoint; one miner's calls change it as the contract would."""

    time_s: int = NOW_S
    states: dict[int, OnchainContest] = field(default_factory=dict)
    terms: dict[int, ContestParams] = field(default_factory=dict)
    commitments: dict[int, bytes] = field(default_factory=dict)

    @property
    def contracts(self) -> Contracts:
        deployment = SimpleNamespace(contest_domain=Domain(chain_id=31337, market=CONTRACT))
        return cast(Contracts, SimpleNamespace(contest=self, client=self, deployment=deployment))

    def post(self, spec: ContestSpec) -> int:
        contest_id = len(self.states) + 1
        self.terms[contest_id] = ContestParams.of(spec, key_hash(KEY), self.time_s)
        self.states[contest_id] = OnchainContest(
            contest_id=contest_id,
            poster=POSTER,
            status=ContestStatus.OPEN,
            outcome=Outcome.NONE,
            epoch=EpochNo(1),
            entries=0,
            bad_test_set=False,
            decided_by=0,
            winner=None,
            winner_correct=0,
            revealed=0,
            frauds=0,
            ends_at=self.terms[contest_id].commit_deadline,
            challenger=POSTER,
            parent=PARENT,
        )
        return contest_id

    def release_key(self, contest_id: int) -> None:
        self.states[contest_id] = replace(
            self.states[contest_id], status=ContestStatus.RELEASED, ends_at=self.time_s + 300
        )

    def view(self, contest_id: int) -> ContestView:
        return read_contest(self.contracts, contest_id, None)

    # ------------------------------------------------------------ the contract

    def block(self) -> Any:
        return SimpleNamespace(number=9, timestamp=self.time_s)

    def contest(self, contest_id: int, block: int) -> OnchainContest:
        return self.states[contest_id]

    def params(self, contest_id: int, block: int) -> ContestParams:
        return self.terms[contest_id]

    def entries(self, state: OnchainContest, block: int) -> tuple[OnchainEntry, ...]:
        made = self.commitments.get(state.contest_id)
        if made is None:
            return ()
        return (
            OnchainEntry(
                place=0, miner=MINER, committed_at=NOW_S, commitment=made, model=ZERO32, trace=ZERO32
            ),
        )

    def entry_number(self, contest_id: int, miner: Address) -> int:
        return 1 if contest_id in self.commitments else 0

    def court_term_s(self, block: int) -> int:
        return 600

    def panels(self) -> Any:
        return SimpleNamespace(panel=lambda *about: (0, 0, False))

    def commit(self, contest_id: int, digest: bytes) -> Call:
        return Call(to=CONTRACT, data=contest_id.to_bytes(8, "big") + digest, label="commit")

    def reveal(self, contest_id: int, model: Sha256, trace: bytes, salt: bytes) -> Call:
        return Call(to=CONTRACT, data=contest_id.to_bytes(8, "big") + model, label="reveal")

    # ------------------------------------------------------------ the sender

    def send(self, call: Call) -> Receipt:
        contest_id = int.from_bytes(call.data[:8], "big")
        if call.label == "commit":
            self.commitments[contest_id] = call.data[8:]
            self.states[contest_id] = replace(self.states[contest_id], entries=1)
        else:
            self.states[contest_id] = replace(self.states[contest_id], revealed=1)
        return cast(Receipt, None)
