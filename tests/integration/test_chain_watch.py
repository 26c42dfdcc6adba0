"""A validator's view of a real chain that is reorganised, lags, loses events, and of blobs that come late."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from anvil.chain import AnvilOptions, AnvilProcess, fresh_chain_id
from committee.chain_watch import MAX_WAIT_POLLS, STIRS, ChainWatch
from protocol.blobs import BlobMissing, BlobStore
from protocol.chain.client import BlockRef, ChainClient
from protocol.chain.contracts import Contracts
from protocol.chain.history import TaskHistory, read_task
from protocol.chain.market import TaskParams
from protocol.chain.sender import Sender
from protocol.errors import ServiceUnreachable
from protocol.ids import Address, Sha256, TaskId, parse_address
from tests.support.miner_network import digits, digits_spec
from tests.support.pot_network import PotNetwork
from worker.training.checkpoint import initial_checkpoint


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PotNetwork]:
    log: Path = tmp_path_factory.mktemp("chain") / "anvil.log"
    with AnvilProcess(AnvilOptions(chain_id=fresh_chain_id()), log=log) as chain:
        yield PotNetwork.build(tmp_path_factory.mktemp("network"), ChainClient(chain.rpc_url))


def post(network: PotNetwork, genesis: bytes | None = None) -> TaskId:
    """Fund a task of the small digits spec."""
    spec = digits_spec()
    network.blobs.put(digits())
    network.blobs.put(spec.blob)
    model = network.blobs.put(genesis if genesis is not None else initial_checkpoint(spec))
    params = TaskParams.of(spec, model, network.contracts.client.block().timestamp)
    poster, market = network.accounts["poster"], network.contracts.market
    sender = Sender(network.contracts.client, poster)
    sender.send(network.contracts.token.approve(market.address, params.escrow))
    sender.send(market.create_task(params))
    return TaskId(market.task_count())


def validator(network: PotNetwork) -> Address:
    return parse_address(network.accounts["validator-1"].address)


def watch(network: PotNetwork, blobs: BlobStore | None = None) -> ChainWatch:
    return ChainWatch(network.contracts, blobs or network.blobs, validator(network))


def of(histories: list[TaskHistory], task: TaskId) -> TaskHistory | None:
    return next((history for history in histories if history.created.task_id == task), None)


def mine(network: PotNetwork, blocks: int) -> None:
    network.contracts.client.rpc("anvil_mine", hex(blocks))


@pytest.mark.parametrize("depth", [1, 2, 5, 10])
def test_poll__reorganisation__ends_in_the_state_of_the_chain(network: PotNetwork, depth: int) -> None:
    task, seen = post(network), watch(network)
    mine(network, 12)
    network.certify_round(task)
    mine(network, depth - 1)
    before = of(seen.poll(), task)
    assert before is not None
    assert before.certificates == 1
    network.contracts.client.rpc("anvil_reorg", depth, [])
    after = of(seen.poll(), task)
    assert after is not None
    assert after.certificates == 0 == network.contracts.market.task(task).last_round
    network.certify_round(task)
    again = of(seen.poll(), task)
    assert again is not None
    assert again.certificates == 1
    assert again.ledger == read_task(network.contracts, network.blobs, task).ledger


def test_poll__chain_became_shorter__is_read_again_not_an_error(network: PotNetwork) -> None:
    task, seen = post(network), watch(network)
    network.certify_round(task)
    mine(network, 3)
    seen.poll()
    network.contracts.client.rpc("anvil_rollback", 4)
    after = of(seen.poll(), task)
    assert after is not None
    assert after.certificates == 0


class Lagging(ChainClient):
    """An endpoint behind which some nodes are behind others."""

    head: int | None = None
    blind: Callable[[Any], bool] = staticmethod(lambda log: False)

    def block(self, number: int | str = "latest") -> BlockRef:
        if number == "latest" and self.head is not None:
            number = self.head
        return super().block(number)

    def logs(self, addresses: list[Address], first_block: int, last_block: int) -> list[Any]:
        return [log for log in super().logs(addresses, first_block, last_block) if not self.blind(log)]


def test_poll__endpoint_lags__nothing_is_forgotten_or_read_again(network: PotNetwork) -> None:
    task = post(network)
    client = Lagging(network.contracts.client.rpc_url)
    seen = ChainWatch(Contracts.at(client, network.contracts.deployment), network.blobs, validator(network))
    seen.poll()
    behind = client.block().number
    network.certify_round(task)
    assert of(seen.poll(), task) is not None
    client.head = behind
    assert seen.poll() == []
    client.head = None
    assert seen.poll() == []
    network.certify_round(task)
    after = of(seen.poll(), task)
    assert after is not None
    assert after.certificates == 2


def test_poll__endpoint_swallows_a_certificate__the_gap_is_seen_and_filled(network: PotNetwork) -> None:
    task = post(network)
    client = Lagging(network.contracts.client.rpc_url)
    seen = ChainWatch(Contracts.at(client, network.contracts.deployment), network.blobs, validator(network))
    seen.poll()
    network.certify_round(task)
    client.blind = lambda log: True
    assert seen.poll() == []
    client.blind = lambda log: False
    network.certify_round(task)
    polls = (of(seen.poll(), task) for _ in range(MAX_WAIT_POLLS + 2))
    found = next((history for history in polls if history is not None and history.certificates == 2), None)
    assert found is not None


class Moody:
    """A blob store that fails on purpose for chosen names."""

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs
        self.moods: dict[Sha256, Exception | bytes] = {}

    def put(self, data: bytes) -> Sha256:
        return self._blobs.put(data)

    def has(self, name: Sha256) -> bool:
        return self._blobs.has(name)

    def get(self, name: Sha256, max_bytes: int = 1 << 30) -> bytes:
        mood = self.moods.get(name)
        if isinstance(mood, Exception):
            raise mood
        return self._blobs.get(name, max_bytes)


def test_poll__store_fails_for_one_task__the_other_tasks_news_is_not_lost(network: PotNetwork) -> None:
    """The news of a task must reach its session even when the next task in line breaks the poll."""
    first, second = post(network), post(network)
    moody = Moody(network.blobs)
    seen = watch(network, moody)
    seen.poll()
    network.certify_round(first)
    network.certify_round(second)
    record = read_task(network.contracts, network.blobs, second).segments[-1].event.certificate.segment
    moody.moods[record] = ServiceUnreachable("the blob store", "file://", "it is gone")
    news = seen.poll()
    told = of(news, first)
    assert told is not None
    assert told.certificates == 1
    assert of(news, second) is None
    moody.moods.clear()
    late = next(filter(None, (of(seen.poll(), second) for _ in range(5))))
    assert late.certificates == 1


@pytest.mark.parametrize("tampered", [True, False])
def test_poll__blob_damaged_or_late__the_task_waits_and_goes_on(network: PotNetwork, tampered: bool) -> None:
    task = post(network)
    network.certify_round(task)
    record = read_task(network.contracts, network.blobs, task).segments[-1].event.certificate.segment
    path = network.folder / "blobs" / record.hex()[:2] / record.hex()
    honest = path.read_bytes()
    if tampered:
        path.write_bytes(b"?" * len(honest))
    else:
        path.unlink()
    seen = watch(network)
    early = of(seen.poll(), task)
    assert early is not None
    assert early.certificates == 0
    for _ in range(300):
        seen.poll()
    path.write_bytes(honest)
    late = next(filter(None, (of(seen.poll(), task) for _ in range(MAX_WAIT_POLLS + 1))))
    assert late.certificates == 1


def test_poll__genesis_model_is_not_the_specs__the_task_is_left_alone(network: PotNetwork) -> None:
    """Its audit could not pass, so nobody should work for it."""
    task = post(network, genesis=b"weights with a back door")
    assert of(watch(network).poll(), task) is None


def test_poll__spec_never_published__costs_ever_less(network: PotNetwork) -> None:
    task = post(network)
    name = network.contracts.market.task(task).spec_hash

    class Counting(Moody):
        asked = 0

        def get(self, wanted: Sha256, max_bytes: int = 1 << 30) -> bytes:
            self.asked += wanted == name
            return super().get(wanted, max_bytes)

    counting = Counting(network.blobs)
    counting.moods[name] = BlobMissing(name)
    seen = watch(network, counting)
    seen.poll()
    tasks = network.contracts.market.task_count()
    counting.asked = 0
    for _ in range(1000):
        seen.poll()
    assert counting.asked <= tasks * 20


def test_poll__next_block_without_our_logs__is_noted_and_nothing_asked_about_it(
    network: PotNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen, client = watch(network), network.contracts.client
    seen.poll()
    ask, asked = client.rpc, list[str]()

    def note(method: str, *params: object) -> object:
        asked.append(method)
        return ask(method, *params)

    mine(network, 1)
    seen.stirs = 0
    with monkeypatch.context() as patch:
        patch.setattr(client, "rpc", note)
        seen.poll()
    assert asked == ["eth_getBlockByNumber"]
    assert (seen.head, seen.stirs) == (client.block().hash, 0)
    task = post(network)
    assert of(seen.poll(), task) is not None
    assert seen.stirs == STIRS
