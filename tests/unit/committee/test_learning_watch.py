"""Each author's next number at the head, as a validator knows it; nothing while a list is missing."""

import dataclasses
from types import SimpleNamespace
from typing import cast

from committee.learning_watch import LearningWatch
from protocol.blobs import open_blob_store
from protocol.chain.contracts import Contracts
from protocol.ids import sha256
from protocol.learning_payload import payload_list
from tests.unit.protocol.test_learning_log import ALICE, CONTEST, DOMAIN, PAYLOADS, Node, chain


def watch(node: Node, store: str) -> LearningWatch:
    deployment = SimpleNamespace(contest_domain=DOMAIN, contest=CONTEST, block=0)
    contracts = SimpleNamespace(client=node, deployment=deployment)
    return LearningWatch(cast(Contracts, contracts), open_blob_store(f"memory://{store}"))


def test_watch__list_missing__nothing_is_known_until_it_is_there() -> None:
    watched = watch(Node(chain()), "learning-watch")
    assert watched.poll() is None
    open_blob_store("memory://learning-watch").put(payload_list(PAYLOADS))
    assert watched.poll() == {ALICE.address: 2}
    assert watched.poll() is watched.poll()  # no new head, nothing new to tell


def test_watch__blocks_taken_back__numbers_are_those_of_the_other_chain() -> None:
    open_blob_store("memory://learning-watch-reorg").put(payload_list(PAYLOADS))
    node = Node(chain())
    watched = watch(node, "learning-watch-reorg")
    assert watched.poll() == {ALICE.address: 2}
    first = node.blocks[0]
    other = dataclasses.replace(node.blocks[1], transactions=bytes(32))
    node.blocks, node.names, node.head = [first, other], [first.hash, other.hash], other.hash
    assert watched.poll() == {}


def test_watch__endpoint_that_shows_no_chain__is_no_reason_to_stop() -> None:
    node = Node(chain(1))
    watched = watch(node, "learning-watch-empty")
    assert watched.poll() == {}
    node.head = sha256(b"elsewhere")
    assert watched.poll() is None
    node.head = node.blocks[0].hash
    assert watched.poll() == {}
