"""Contests on the chain behind the pages: everybody's step by hand, so that a test can stop anywhere."""

from dataclasses import dataclass

from protocol.chain.contest import ContestParams
from protocol.chain.contest_log import COMMITTEE, read_contest
from protocol.chain.contract import Call
from protocol.chain.sender import Receipt, Sender
from protocol.contest import Commitment, ScoreCertificate, SignedScores
from protocol.ids import ZERO32, Sha256, parse_address, sha256
from protocol.members import quorum
from protocol.score_record import EntryResult, ScoreRecord, Standing
from protocol.sealed import key_hash
from protocol.signing import sign, to_compact
from tests.support.contests import KEY, answers, contest_spec, publish
from tests.support.pot_network import PotNetwork

MINERS = ("miner-1", "miner-2")


@dataclass(frozen=True, slots=True, kw_only=True)
class ByHand:
    """Contests of one deployment; the committee is in this process."""

    network: PotNetwork

    def send(self, name: str, call: Call) -> Receipt:
        return Sender(self.network.contracts.client, self.network.accounts[name]).send(call)

    def enter(self, title: str, window_s: int) -> tuple[int, list[Commitment]]:
        """Post a contest, and have both miners commit to a model each."""
        spec = contest_spec(title=title, recipe={"trace": None}, limits={"challenge_window_s": window_s})
        publish(spec, self.network.blobs)
        contest, client = self.network.contracts.contest, self.network.contracts.client
        params = ContestParams.of(spec, key_hash(KEY), client.block().timestamp)
        self.send("poster", self.network.contracts.token.approve(contest.address, params.escrow))
        self.send("poster", contest.post(params))
        number, made = contest.count(), []
        for name in MINERS:
            commitment = Commitment(
                contest_id=number,
                miner=parse_address(self.network.accounts[name].address),
                model=self.network.blobs.put(f"model of {name} in {number}".encode()),
                trace=ZERO32,
                salt=sha256(name.encode()),
            )
            digest = commitment.digest(self.network.contracts.deployment.contest_domain)
            self.send(name, contest.commit(number, digest))
            made.append(commitment)
        return number, made

    def end_commitments(self, contest_id: int) -> None:
        """Let the time of commitments pass."""
        client = self.network.contracts.client
        deadline = self.network.contracts.contest.params(contest_id).commit_deadline
        self.network.pass_time(max(0, deadline - client.block().timestamp) + 1)

    def reveal(self, made: list[Commitment]) -> None:
        contest = self.network.contracts.contest
        for name, shown in zip(MINERS, made, strict=True):
            self.send(name, contest.reveal(shown.contest_id, shown.model, shown.trace, shown.salt))

    def score(self, contest_id: int, payloads: bytes = ZERO32) -> None:
        """The drawn committee finds the second entry to be the better one, and says so."""
        contracts = self.network.contracts
        self.network.mine(5)
        panels = contracts.contest.panels()
        if not panels.panel(contest_id, COMMITTEE)[2]:
            self.send("validator-1", panels.draw(contest_id, COMMITTEE))
        signed = self._signed(contest_id, payloads)
        self.send("validator-1", contracts.contest.certify(signed))

    def _signed(self, contest_id: int, payloads: bytes) -> SignedScores:
        contracts = self.network.contracts
        view, scores = read_contest(contracts, contest_id, None), (answers() - 30, answers() - 19)
        record = ScoreRecord(
            contest_id=contest_id,
            spec_hash=view.params.spec_hash,
            test_set=view.params.test_set,
            key=KEY,
            bad_test_set=False,
            entries=tuple(
                EntryResult(
                    miner=entry.miner,
                    model=entry.model,
                    trace=entry.trace,
                    standing=Standing.SCORED,
                    correct=right,
                )
                for entry, right in zip(view.entries, scores, strict=True)
            ),
        )
        certificate = ScoreCertificate(
            contest_id=contest_id,
            instance=COMMITTEE,
            epoch=view.state.epoch,
            spec_hash=view.params.spec_hash,
            test_set=view.params.test_set,
            revealed=view.state.revealed,
            frauds=0,
            bad_test_set=False,
            scores=scores,
            transactions=payloads,
            record=Sha256(self.network.blobs.put(record.blob)),
        )
        return self._sign(certificate)

    def _sign(self, certificate: ScoreCertificate) -> SignedScores:
        contracts = self.network.contracts
        members = contracts.contest.panels().members(certificate.contest_id, COMMITTEE)
        keys = {parse_address(account.address): account for account in self.network.accounts.values()}
        count = quorum(len(members))
        digest = certificate.digest(contracts.deployment.contest_domain)
        joined = b"".join(to_compact(sign(digest, keys[member])) for member in members[:count])
        return SignedScores(certificate=certificate, signers=(1 << count) - 1, signatures=joined)
