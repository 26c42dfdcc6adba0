"""What an auditor finds when blobs, events or the posting of a certificate are not what they should be."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from anvil.chain import AnvilOptions, AnvilProcess, fresh_chain_id
from pot.audit.audit import audit_task
from pot.audit.report import AuditReport
from pot.cli import main
from protocol.blobs import open_blob_store
from protocol.certificate import SignedCertificate
from protocol.chain.client import ChainClient
from protocol.chain.contract import Call
from protocol.chain.contracts import Contracts
from protocol.chain.events import certificate_behind
from protocol.chain.history import EventsMissing, TaskHistory, read_task
from protocol.chain.market import TaskParams
from protocol.chain.sender import Sender
from protocol.errors import InvalidInput, Refused, ServiceUnreachable, VerificationFailed
from protocol.evidence import Fault
from protocol.ids import Address, Sha256, TaskId, Wei, parse_address, sha256
from protocol.ledger import TaskLedger
from protocol.segment import SegmentRecord
from protocol.signing import sign, to_compact
from tests.support.miner_network import digits, digits_spec
from tests.support.pot_network import PotNetwork
from worker.training.checkpoint import initial_checkpoint

ROUNDS = 2


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PotNetwork]:
    log: Path = tmp_path_factory.mktemp("chain") / "anvil.log"
    with AnvilProcess(AnvilOptions(chain_id=fresh_chain_id()), log=log) as chain:
        yield PotNetwork.build(tmp_path_factory.mktemp("network"), ChainClient(chain.rpc_url))


def post(network: PotNetwork, genesis: bytes | None = None) -> TaskId:
    spec = digits_spec()
    network.blobs.put(digits())
    network.blobs.put(spec.blob)
    model = network.blobs.put(genesis if genesis is not None else initial_checkpoint(spec))
    params = TaskParams.of(spec, model, network.contracts.client.block().timestamp)
    market, sender = network.contracts.market, Sender(network.contracts.client, network.accounts["poster"])
    sender.send(network.contracts.token.approve(market.address, params.escrow))
    sender.send(market.create_task(params))
    return TaskId(market.task_count())


@pytest.fixture(scope="module")
def task(network: PotNetwork) -> TaskId:
    """A task with two honest certificates; it is audited, never changed."""
    number = post(network)
    for _ in range(ROUNDS):
        network.certify_round(number)
    return number


def history(network: PotNetwork, task: TaskId) -> TaskHistory:
    return read_task(network.contracts, network.blobs, task)


def audit(network: PotNetwork, task: TaskId, contracts: Contracts | None = None) -> AuditReport:
    return audit_task(
        contracts or network.contracts, network.blobs, task, lambda certified: range(1, certified + 1)
    )


def pot_audit(
    network: PotNetwork, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str
) -> tuple[int, Any]:
    monkeypatch.chdir(network.folder)
    status = main(["audit", *words, "--json"])
    return status, json.loads(capsys.readouterr().out)


def test_audit__honest_task_and_no_coordinator__passes(
    network: PotNetwork, task: TaskId, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The network of this test has a chain, blobs and keys: no coordinator and no database ever ran."""
    status, report = pot_audit(network, monkeypatch, capsys, str(task))
    assert (status, report["ok"], report["notes"]) == (0, True, [])
    assert report["rounds_replayed"] == report["rounds_certified"] == ROUNDS


BLOBS: dict[str, Callable[[TaskHistory], Sha256]] = {
    "spec": lambda h: h.created.params.spec_hash,
    "dataset": lambda h: h.ledger.spec.dataset_sha256,
    "genesis checkpoint": lambda h: h.created.params.genesis_model,
    "checkpoint": lambda h: h.segments[0].record.model,
    "final checkpoint": lambda h: h.ledger.model,
    "gradient": lambda h: h.segments[0].record.rounds[0].contributions[1].contribution.gradient,
    "segment": lambda h: h.segments[1].event.certificate.segment,
}


@pytest.mark.parametrize("damage", ["one bit", "gone", "empty"])
@pytest.mark.parametrize("kind", sorted(BLOBS))
def test_audit__damaged_blob__exits_1_and_names_the_file(
    kind: str,
    damage: str,
    network: PotNetwork,
    task: TaskId,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    name = BLOBS[kind](history(network, task)).hex()
    path = network.folder / "blobs" / name[:2] / name
    honest = path.read_bytes()
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(honest[:-1] + bytes([honest[-1] ^ 1]) if damage == "one bit" else b"")
    try:
        status, report = pot_audit(network, monkeypatch, capsys, str(task))
    finally:
        path.write_bytes(honest)
    assert status == 1
    assert name in report["lie"]["subject"]


def test_audit__chain_down_or_task_unknown__is_no_verdict(
    network: PotNetwork, task: TaskId, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    status, error = pot_audit(network, monkeypatch, capsys, "999")
    assert (status, "task 999" in error["message"]) == (2, True)
    status, error = pot_audit(network, monkeypatch, capsys, str(task), "--chain-url", "http://127.0.0.1:9")
    assert (status, "unreachable" in error["message"]) == (3, True)
    status, error = pot_audit(network, monkeypatch, capsys, str(task), "--replay", "9" * 5000)
    assert status == 2


def test_audit__task_goes_on_meanwhile__is_judged_as_it_was(network: PotNetwork) -> None:
    number = post(network)
    network.certify_round(number)

    def choose(certified: int) -> range:
        network.certify_round(number)
        return range(1, certified + 1)

    report = audit_task(network.contracts, network.blobs, number, choose)
    assert report.lie is None
    assert report.rounds_certified == 1


def test_audit__genesis_model_of_the_posters_own__is_the_lie(network: PotNetwork) -> None:
    other = digits_spec()
    seeded = replace_seed(initial_checkpoint(other))
    report = audit(network, post(network, genesis=seeded))
    assert report.lie is not None
    assert report.lie.subject == f"genesis model {sha256(seeded).hex()}"


def replace_seed(blob: bytes) -> bytes:
    return blob[:-4] + bytes(4)


# ------------------------------------------------------------------ colluding committees


def certify(network: PotNetwork, state: TaskLedger, record: SegmentRecord) -> SignedCertificate:
    """What a committee that does not care what is true would sign."""
    network.blobs.put(record.blob)
    domain = network.contracts.deployment.domain
    certificate = record.certificate(domain, state.epoch)
    keys = {parse_address(account.address): account for account in network.accounts.values()}
    digest = certificate.digest(domain)
    joined = b"".join(to_compact(sign(digest, keys[member])) for member in state.members[:3])
    return SignedCertificate(certificate=certificate, signers=0b111, signatures=joined)


def send(network: PotNetwork, call: Call) -> None:
    Sender(network.contracts.client, network.accounts["validator-2"]).send(call)


def trained(network: PotNetwork, number: TaskId) -> tuple[TaskLedger, SegmentRecord]:
    state = history(network, number).ledger
    return state, state.extend((network._train(state, (0, 1)),))


def overpaid(state: TaskLedger, record: SegmentRecord, network: PotNetwork) -> SegmentRecord:
    richest = next(iter(record.payouts))
    other = next(name for name in record.payouts if name != richest)
    moved = {
        **record.payouts,
        richest: Wei(record.payouts[richest] + 1),
        other: Wei(record.payouts[other] - 1),
    }
    return replace(record, payouts=moved)


def other_model(state: TaskLedger, record: SegmentRecord, network: PotNetwork) -> SegmentRecord:
    model = network.blobs.put(replace_seed(network.blobs.get(record.model)))
    return replace(record, rounds=(replace(record.rounds[0], model=model),))


def stolen_work(state: TaskLedger, record: SegmentRecord, network: PotNetwork) -> SegmentRecord:
    first, second = record.rounds[0].contributions
    thief = replace(second.contribution, miner=first.contribution.miner)
    item = replace(record.rounds[0], contributions=(first, replace(second, contribution=thief)))
    return state.extend((item,))


def unproven_fault(state: TaskLedger, record: SegmentRecord, network: PotNetwork) -> SegmentRecord:
    return replace(record, faults=(Fault.of(record.rounds[0].contributions[0]),))


@pytest.mark.parametrize("lie", [overpaid, other_model, stolen_work, unproven_fault])
def test_audit__a_whole_committee_lies__is_found(
    lie: Callable[[TaskLedger, SegmentRecord, PotNetwork], SegmentRecord], network: PotNetwork
) -> None:
    number = post(network)
    state, record = trained(network, number)
    send(network, network.contracts.market.certify(certify(network, state, lie(state, record, network))))
    report = audit(network, number)
    assert report.lie is not None


def test_audit__miner_lies_about_its_loss__is_noted_but_changes_nothing(network: PotNetwork) -> None:
    number = post(network)
    state, record = trained(network, number)
    first, second = record.rounds[0].contributions
    key = next(a for a in network.accounts.values() if parse_address(a.address) == first.contribution.miner)
    boast = replace(first.contribution, loss_micros=1).sign(network.contracts.deployment.domain, key)
    item = replace(record.rounds[0], contributions=(boast, second))
    send(network, network.contracts.market.certify(certify(network, state, state.extend((item,)))))
    report = audit(network, number)
    assert report.lie is None
    assert len(report.notes) == 1
    assert first.contribution.miner in report.notes[0]


# ------------------------------------------------------------------ certificates posted through contracts


def forwarder(network: PotNetwork, runtime: bytes, address: Address) -> Address:
    network.contracts.client.rpc("anvil_setCode", address, "0x" + runtime.hex())
    return address


def or_revert(body: bytes) -> bytes:
    """``body`` leaves a call's success on the stack: stop, or revert."""
    end = len(body) + 5
    return body + bytes([0x15, 0x60, end, 0x57, 0x00]) + bytes.fromhex("5b60006000fd")


def passes_on(market: Address) -> bytes:
    """Calls ``market`` with its own calldata after the first 32 bytes."""
    copy = bytes.fromhex("60203603806020600037")
    return or_revert(copy + bytes.fromhex("60006000826000600073" + market[2:] + "5af1"))


def holds(market: Address, data: bytes) -> bytes:
    """Calls ``market`` with ``data``, which is part of its code."""

    def body(start: int) -> bytes:
        size, offset = len(data).to_bytes(2, "big"), start.to_bytes(2, "big")
        copy = b"\x61" + size + b"\x61" + offset + bytes.fromhex("60003960006000")
        call = b"\x61" + size + bytes.fromhex("6000600073" + market[2:] + "5af1")
        return or_revert(copy + call)

    return body(len(body(0))) + data


def last_event(network: PotNetwork, number: TaskId) -> Any:
    return history(network, number).segments[-1].event


def test_certificate_behind__posted_through_a_contract_wallet__is_found_in_its_calldata(
    network: PotNetwork,
) -> None:
    number = post(network)
    state, record = trained(network, number)
    market = network.contracts.market
    signed = certify(network, state, record)
    wallet = forwarder(network, passes_on(market.address), parse_address("0x" + "77" * 20))
    send(network, Call(to=wallet, data=bytes(32) + market.certify(signed).data, label="wallet"))
    assert certificate_behind(network.contracts, last_event(network, number)) == signed
    assert audit(network, number).lie is None


def test_certificate_behind__call_built_by_a_contract__is_found_in_the_trace(network: PotNetwork) -> None:
    number = post(network)
    state, record = trained(network, number)
    market = network.contracts.market
    signed = certify(network, state, record)
    builder = holds(market.address, market.certify(signed).data)
    send(
        network,
        Call(to=forwarder(network, builder, parse_address("0x" + "78" * 20)), data=b"", label="builder"),
    )
    assert certificate_behind(network.contracts, last_event(network, number)) == signed
    assert audit(network, number).lie is None

    class NoTraces(ChainClient):
        def rpc(self, method: str, *params: Any) -> Any:
            if method.startswith("debug_"):
                raise Refused("The chain refused: the method is not available.", "Node")
            return super().rpc(method, *params)

    poor = Contracts.at(NoTraces(network.contracts.client.rpc_url), network.contracts.deployment)
    with pytest.raises(Refused, match="debug_traceTransaction"):
        audit(network, number, poor)


def test_certificate_behind__foreign_calldata__is_a_lie(network: PotNetwork, task: TaskId) -> None:
    one, two = (segment.event for segment in history(network, task).segments)
    with pytest.raises(VerificationFailed, match=f"certificate of round {one.certificate.last_round}"):
        certificate_behind(network.contracts, replace(one, where=two.where))
    with pytest.raises(VerificationFailed, match="certify"):
        certificate_behind(network.contracts, replace(one, signers=0b1111))
    created = history(network, task).created
    with pytest.raises(VerificationFailed, match="certify"):
        certificate_behind(network.contracts, replace(one, where=created.where))


# ------------------------------------------------------------------ endpoints that leave something out


class Withholding(ChainClient):
    """Leaves out logs as a lying endpoint would."""

    hides: Callable[[int, Any], bool] = staticmethod(lambda index, log: False)

    def logs(self, addresses: list[Address], first_block: int, last_block: int) -> list[Any]:
        found = super().logs(addresses, first_block, last_block)
        return [log for index, log in enumerate(found) if not self.hides(index, log)]


@pytest.mark.parametrize("hidden", [0, 1])
def test_audit__endpoint_hides_a_certificate__is_found(
    network: PotNetwork, task: TaskId, hidden: int
) -> None:
    where = history(network, task).segments[hidden].event.where
    client = Withholding(network.contracts.client.rpc_url)
    client.hides = lambda index, log: bytes(log["transactionHash"]) == where.tx_hash
    report = audit(network, task, Contracts.at(client, network.contracts.deployment))
    assert report.lie is not None
    assert "task" in report.lie.subject


def test_audit__blob_store_is_down__is_no_verdict(network: PotNetwork, task: TaskId) -> None:
    with pytest.raises(ServiceUnreachable):
        audit_task(network.contracts, open_blob_store("http://127.0.0.1:9"), task, lambda n: ())
    with pytest.raises(InvalidInput):
        audit_task(network.contracts, network.blobs, TaskId(0), lambda n: ())


# ------------------------------------------------------------------ nodes whose state is ahead of their logs


class Mining(ChainClient):
    """Mines while it is asked for the state of its newest block, and then tells that of the next: so does
    Anvil."""

    mines: Callable[[], None] | None = None

    def call(self, to: Address, data: bytes, block: int | str = "latest") -> bytes:
        if self.mines is not None and isinstance(block, int):
            mines, self.mines = self.mines, None
            mines()
            block = "latest"
        return super().call(to, data, block)


def test_audit__node_mines_while_it_is_asked__is_judged_as_it_was(network: PotNetwork) -> None:
    number = post(network)
    network.certify_round(number)
    client = Mining(network.contracts.client.rpc_url)
    client.mines = lambda: network.certify_round(number)
    report = audit(network, number, Contracts.at(client, network.contracts.deployment))
    assert history(network, number).ledger.last_round == 2
    assert report.lie is None
    assert report.rounds_certified == 1


class Lagging(ChainClient):
    """Gives its logs up to an older block the first few times."""

    asked = 0
    late = 3

    def logs(self, addresses: list[Address], first_block: int, last_block: int) -> list[Any]:
        self.asked += 1
        return super().logs(addresses, first_block, last_block - (self.asked < self.late))


def test_read_task__logs_are_behind_the_state__waits_for_them(network: PotNetwork) -> None:
    number = post(network)
    network.certify_round(number)
    client = Lagging(network.contracts.client.rpc_url)
    found = read_task(Contracts.at(client, network.contracts.deployment), network.blobs, number, at_least=1)
    assert (found.ledger.last_round, client.asked) == (1, client.late)


def test_read_task__round_that_no_log_tells_of__is_withheld(
    network: PotNetwork, task: TaskId, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("protocol.chain.history.LOGS_LAG_S", 0.0)
    with pytest.raises(
        EventsMissing, match=f"round {ROUNDS + 1} is certified, the events end at round {ROUNDS}"
    ):
        read_task(network.contracts, network.blobs, task, at_least=ROUNDS + 1)
