"""Contests and the learning chain on the pages, over a real index: what is shown, paged, escaped, undone."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from eth_account import Account
from starlette.testclient import TestClient

from coordinator.services.read_contest_specs import read_contest_specs
from protocol.ids import parse_address
from protocol.learning_block import genesis
from protocol.learning_payload import payload_list, sign_payload
from protocol.score_record import EntryResult, ScoreRecord, Standing
from protocol.signing import KeySigner
from tests.integration.test_api import config
from tests.integration.test_pages import HOSTILE, HTML, Tags
from tests.support.contest_rows import ANSWERS, RIGHT, named, plant
from tests.support.contests import contest_spec, publish
from tests.support.coordinator_world import World, world
from tests.support.pages import served

COUNT = 30
SEPARATOR = config().deployment.contest_domain.separator


@pytest.fixture(scope="module")
def w(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("contests")) as made:
        made.post_task()
        plant(made, SEPARATOR, COUNT)
        yield made


@pytest.fixture(scope="module")
def client(w: World) -> Iterator[TestClient]:
    with TestClient(served(w.ctx, config()), headers=HTML) as opened:
        yield opened


def test_contest_list__more_than_a_page__goes_on_where_it_ended(client: TestClient) -> None:
    first = client.get("/contest").text
    assert re.findall(r'href="/contest/([0-9]+)"', first) == [str(n) for n in range(COUNT, COUNT - 25, -1)]
    older = re.search(r'href="\?before=([0-9]+)"', first)
    assert older is not None
    rest = client.get(f"/contest?before={older[1]}").text
    assert re.findall(r'href="/contest/([0-9]+)"', rest) == [str(n) for n in range(COUNT - 25, 0, -1)]
    assert "Older contests" not in rest


def test_contest_page__one_that_was_won__shows_phases_entries_signers_and_every_unit(
    w: World, client: TestClient
) -> None:
    text = client.get("/contest/3").text
    rows = dict(re.findall(r'<th scope="row">(\w[\w ]*)</th><td class="num">([^<]+)</td>', text))
    assert rows == {
        "Funded": "146 POT",
        "Held": "0 POT",
        "To the winner": "100 POT",
        "To others": "6 POT",
        "Refunded": "40 POT",
    }
    assert f"{RIGHT} of {ANSWERS} right" in text
    assert text.count('<span class="pill over">over</span>') == 6
    assert text.count('<span class="pill winner">winner</span>') == 1
    assert "3 <small>of 4 members" in text
    assert 'href="/learning/3"' in text
    assert f'href="/tx/0x{named("tx 3", 7).hex()}"' not in text.partition("<h2>Phases")[0]
    assert client.get("/contest/99").status_code == 404


def test_learning_chain__every_block__is_linked_to_its_parent_contest_model_and_transaction(
    client: TestClient,
) -> None:
    first = client.get("/learning").text
    assert re.findall(r'href="/learning/([0-9]+)">[0-9]', first) == [
        str(height) for height in range(COUNT + 1, COUNT - 24, -1)
    ]
    assert "broken link" not in first
    rest = client.get(f"/learning?upto={COUNT - 24}").text
    assert ">genesis</span>" in rest
    assert "broken link" not in rest
    block = client.get("/learning/3").text
    assert f'href="/blobs/{named("model", 3).hex()}"' in block
    assert f'href="/tx/0x{named("tx 3", 7).hex()}"' in block
    assert 'href="/contest/3"' in block
    assert ">linked</span>" in block
    assert genesis(SEPARATOR).hash.hex() in client.get("/learning/0").text
    puzzle = client.get(f"/learning/{COUNT + 1}").text
    assert ">puzzle</span>" in puzzle
    assert "hashes on average" in puzzle
    assert client.get(f"/learning/{COUNT + 2}").status_code == 404


def test_network_and_account_pages__contests__are_among_what_is_shown(w: World, client: TestClient) -> None:
    network = client.get("/").text
    assert f'href="/contest/{COUNT}"' in network
    assert f'href="/learning/{COUNT + 1}"' in network
    winner = w.miners[1].address
    account = client.get(f"/account/{winner}").text
    calls = re.search(r'id="contests"[^>]* data-calls="([^"]*)"', account)
    assert calls is not None
    offered = json.loads(calls[1].replace("&#34;", '"'))
    assert offered == [
        {
            "contract": "contest",
            "function": "collect",
            "arguments": [winner],
            "label": "Collect 100 POT from contests",
        }
    ]
    assert f'href="/contest/{COUNT}"' in account
    assert "Older contests" in account


def test_audit_list__a_contest__is_filtered_and_taken_home(client: TestClient) -> None:
    lines = client.get("/audit/events.jsonl", params={"contest": "2"}).text.splitlines()
    assert [json.loads(line)["kind"] for line in lines][-1] == "ContestPosted"
    assert {json.loads(line)["contest_id"] for line in lines} == {"2"}
    assert len(lines) == 8
    assert client.get("/audit", params={"contest": "2"}).text.count('href="/contest/2"') == 8


def test_contest__taken_back_by_a_reorganisation__is_gone_with_its_block(tmp_path: Path) -> None:
    with world(tmp_path) as w, TestClient(served(w.ctx, config()), headers=HTML) as client:
        w.post_task()
        before = w.where().block_number - 1
        plant(w, SEPARATOR, 2)
        assert client.get("/contest/2").status_code == 200
        w.mine(fork=before + 1, salt=b"other")
        assert client.get("/contest/1").status_code == 200
        assert client.get("/contest/2").status_code == 404
        assert client.get("/learning/1").status_code == 200
        assert client.get("/learning/2").status_code == 404


def test_contest_pages__hostile_titles_and_payloads__are_text_and_nothing_else(tmp_path: Path) -> None:
    with world(tmp_path) as w, TestClient(served(w.ctx, config()), headers=HTML) as client:
        w.post_task()
        _plant_hostile(w)
        seen = 0
        for path in ("/", "/contest", "/contest/1", "/learning", "/learning/1", "/learning/2"):
            text = client.get(path).text
            seen += "alert(1)" in text
            tags = Tags(text).found
            plain = [found for tag, found in tags if tag == "script" and "src" not in found]
            assert [found["type"] for found in plain] == ["importmap"], path
            assert not [tag for tag, found in tags if tag == "img" and found.get("src") == "x"], path
            assert "49javascript" not in text
        assert seen == 5
        block = client.get("/learning/2").text
        assert ">signed</span>" in block
        assert ">forged</span>" in block


def _plant_hostile(w: World) -> None:
    """A contest and payloads whose every text was written by an enemy."""
    domain = config().deployment.contest_domain
    author = KeySigner(bytes(Account.create().key))
    good = sign_payload(author, domain, 0, HOSTILE.encode())
    other = sign_payload(author, w.domain, 1, HOSTILE.encode())
    root = w.blobs.put(payload_list([good, other]))
    plant(w, SEPARATOR, 1, roots={1: root, 2: root})
    with w.store.write() as tx:
        row = tx.contests.get(1)
        assert row is not None
        row.title = row.note = HOSTILE
        row.spec = {"title": HOSTILE, HOSTILE: HOSTILE}


def test_contest_page__the_score_record__tells_each_standing(tmp_path: Path) -> None:
    with world(tmp_path) as w, TestClient(served(w.ctx, config()), headers=HTML) as client:
        w.post_task()
        plant(w, SEPARATOR, 1)
        assert "The score record cannot be read" in client.get("/contest/1").text
        miners = [parse_address(miner.address) for miner in w.miners]
        standings = (Standing.SCORED, Standing.SCORED, Standing.WITHHELD)
        record = ScoreRecord(
            contest_id=1,
            spec_hash=named("contest spec", 1),
            test_set=named("test", 1),
            key=named("key", 0),
            bad_test_set=False,
            entries=tuple(
                EntryResult(miner=miner, model=named("model", 0), trace=named("trace", 0), standing=standing)
                for miner, standing in zip(miners, standings, strict=True)
            ),
        )
        stored = w.blobs.put(record.blob)
        with w.store.write() as tx:
            for event in tx.contests.events(1):
                if event.kind == "ScoresAccepted":
                    certificate = {**event.data["certificate"], "record": stored.hex()}
                    event.data = {**event.data, "certificate": certificate}
        text = client.get("/contest/1").text
        assert "cannot be read" not in text
        assert text.count(">scored</span>") == 2
        assert text.count(">withheld</span>") == 1


def test_contest_specs__once_their_blobs_are_there__name_their_contests(tmp_path: Path) -> None:
    with world(tmp_path) as w:
        w.post_task()
        plant(w, SEPARATOR, 1)
        spec = contest_spec()
        with w.store.write() as tx:
            row = tx.contests.get(1)
            assert row is not None
            row.spec_hash = spec.hash
        read_contest_specs(w.ctx)
        with w.store.read() as tx:
            waiting = tx.contests.get(1)
            assert waiting is not None
            assert spec.hash.hex() in waiting.note
        publish(spec, w.blobs)
        read_contest_specs(w.ctx)
        with w.store.read() as tx:
            found = tx.contests.get(1)
            assert found is not None
            assert (found.title, found.note) == (spec.title, "")
            assert tx.contests.unread(10) == []
