"""The HTTP API over a real store, driven as a miner, a browser and an operator would."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from coordinator.api.app import create_app
from coordinator.api.deps import Api
from coordinator.api.events import Streams, _stream
from coordinator.api.feed_hub import FeedHub
from coordinator.api.limits import MAX_JSON_BYTES
from coordinator.config import CoordinatorConfig
from coordinator.domain.liveness import SHORTEST_PAUSE_S
from coordinator.metrics import Metrics
from coordinator.store.work_tables import LeaseRow
from protocol.chain.deployment import Deployment
from protocol.contribution import Heartbeat
from protocol.errors import ConfigurationError
from protocol.ids import Address, parse_address, sha256
from tests.support.coordinator_world import World, world

ZERO = Address("0x" + "00" * 20)
DEPLOYMENT = Deployment(
    chain_id=31337,
    block=0,
    market=Address("0x" + "11" * 20),
    vault=ZERO,
    committee=ZERO,
    appeals=ZERO,
    contest=ZERO,
    canaries=ZERO,
    token=ZERO,
)
MAX_UPLOAD = 4096


def config(**changes: Any) -> CoordinatorConfig:
    values: dict[str, Any] = {
        "deployment": DEPLOYMENT,
        "rpc_url": "http://127.0.0.1:1",
        "broker_url": "redis://127.0.0.1:1",
        "database_url": "sqlite://",
        "blob_url": "memory://x",
        "max_upload_bytes": MAX_UPLOAD,
        "max_streams": 2,
    }
    return CoordinatorConfig(**{**values, **changes})


def api_of(w: World) -> Api:
    metrics = Metrics(w.store, lambda: w.clock_s)
    return Api(config=config(), ctx=w.ctx, hub=FeedHub(w.store), metrics=metrics)


@pytest.fixture
def w(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path, {"max_uncertified_rounds": 2}) as made:
        made.post_task()
        made.drive()
        yield made


@pytest.fixture
def client(w: World) -> Iterator[TestClient]:
    with TestClient(create_app(api_of(w)), raise_server_exceptions=False) as opened:
        yield opened


def body(w: World, lease: LeaseRow) -> dict[str, Any]:
    return {**w.work(lease).to_json(), "attempt": lease.attempt, "fence": lease.fence}


def test_contributions__posted_by_the_holders__are_accepted_and_shown_with_verdicts(
    w: World, client: TestClient
) -> None:
    leases = w.leases()
    for lease in leases:
        answer = client.post("/contributions", json=body(w, lease))
        assert (answer.status_code, answer.json()) == (200, {"verdict": "accepted"})
    again = client.post("/contributions", json=body(w, leases[0]))
    assert (again.status_code, again.json()) == (200, {"verdict": "duplicate"})
    w.drive()
    task = client.get("/tasks/1").json()
    assert task["summary"]["status"] == "running"
    assert (task["summary"]["round"], task["summary"]["certified_round"]) == (1, 0)
    assert task["summary"]["loss"] > 1
    assert [c["verdict"] for c in task["contributions"]] == ["accepted", "accepted"]
    assert task["proposal"]["last_round"] == 1
    w.certify(w.asked.requests[-1][3])
    w.drive()
    task = client.get("/tasks/1").json()
    (certificate,) = task["certificates"]
    assert certificate["gas_used"] == 80_000
    assert len(certificate["signers"]) == 3
    assert task["contributions"][0]["verdict"] == "certified"
    escrow = {name: int(value) for name, value in task["summary"]["escrow"].items()}
    assert escrow.pop("funded") == sum(escrow.values()) == 5 * (2 * 10 + 4)
    assert [r["status"] for r in client.get("/tasks/1/rounds").json()["items"]] == ["certified", "open"]


def test_contributions__stale_malformed_or_unsigned__are_refused_with_a_sentence(
    w: World, client: TestClient
) -> None:
    good = body(w, w.leases()[0])
    for change, status, error in (
        ({"fence": 1}, 409, "stale"),
        ({"task_id": "7"}, 409, "NoTask"),
        ({"signature": "0x" + "00" * 65}, 422, "SignatureMalformed"),
        ({"signature": "zz"}, 422, "PeerMisbehaved"),
        ({"round": "1"}, 422, "InvalidRequest"),
        ({"round": -1}, 422, "PeerMisbehaved"),
        ({"gradient": "../../etc/passwd"}, 422, "PeerMisbehaved"),
        ({"extra": 1}, 422, "InvalidRequest"),
        ({"samples": 10**30}, 422, "PeerMisbehaved"),
        ({"loss_micros": 2**64}, 422, "PeerMisbehaved"),
    ):
        answer = client.post("/contributions", json={**good, **change})
        assert (answer.status_code, answer.json()["error"]) == (status, error), change
        assert len(answer.json()["message"]) > 10
    assert client.post("/contributions", json=good).status_code == 200


def test_contribution__before_its_blob_has_arrived__may_be_tried_again(w: World, client: TestClient) -> None:
    lease = w.leases()[0]
    signed = w.work(lease)
    fields = {f: getattr(signed.contribution, f) for f in signed.contribution.__dataclass_fields__}
    unseen = type(signed.contribution)(**{**fields, "gradient": sha256(b"later")})
    posted = {**unseen.sign(w.domain, w.account(lease.miner)).to_json(), "attempt": 1, "fence": lease.fence}
    answer = client.post("/contributions", json=posted)
    assert answer.status_code == 503


def test_heartbeat__signed_and_staked__makes_the_miner_live_others_are_refused(
    w: World, client: TestClient
) -> None:
    account = w.miners[0]
    url = f"/miners/{account.address}/heartbeat"
    w.clock_s += 60
    assert [m["live"] for m in client.get("/miners").json()["items"]] == [False, False, False]
    good = Heartbeat(miner=parse_address(account.address), time_s=int(w.clock_s), device="cuda:0")
    signed = good.sign(w.domain, account)
    answer = client.post(url, json=signed)
    assert (answer.status_code, answer.json()) == (200, {"next_s": SHORTEST_PAUSE_S})
    live = {m["address"]: m for m in client.get("/miners").json()["items"]}[account.address]
    assert (live["live"], live["device"], live["stake"]) == (True, "cuda:0", "1000")
    assert client.post(f"/miners/{w.miners[1].address}/heartbeat", json=signed).status_code == 422
    assert client.post("/miners/0x1/heartbeat", json=signed).status_code == 400
    stale = Heartbeat(miner=parse_address(account.address), time_s=int(w.clock_s) - 999, device="cpu")
    assert client.post(url, json=stale.sign(w.domain, account)).status_code == 409
    stranger = w.members[0]
    theirs = Heartbeat(miner=parse_address(stranger.address), time_s=int(w.clock_s), device="cpu")
    refused = client.post(f"/miners/{stranger.address}/heartbeat", json=theirs.sign(w.domain, stranger))
    assert (refused.status_code, refused.json()["error"]) == (409, "NoStake")


def test_bodies__larger_than_any_document__are_not_read(client: TestClient) -> None:
    big = b"x" * (MAX_JSON_BYTES + 1)
    assert client.post("/contributions", content=big).status_code == 413

    def pieces() -> Iterator[bytes]:
        for _ in range(MAX_JSON_BYTES // 1024 + 2):
            yield b"x" * 1024

    assert client.post("/contributions", content=pieces()).status_code >= 400


def test_blobs__put_get_head__only_under_their_own_hash_and_bound(client: TestClient) -> None:
    data = b"<script>alert(1)</script>"
    name = sha256(data).hex()
    assert client.head(f"/blobs/{name}").status_code == 404
    assert client.get(f"/blobs/{name}").status_code == 404
    assert client.put(f"/blobs/{sha256(b'other').hex()}", content=data).status_code == 400
    assert client.put(f"/blobs/{name}", content=data).status_code == 201
    assert client.put(f"/blobs/{name}", content=data).status_code == 200
    found = client.get(f"/blobs/{name}")
    assert found.content == data
    assert found.headers["content-type"] == "application/octet-stream"
    assert found.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in found.headers["content-security-policy"]
    assert client.head(f"/blobs/{name}").status_code == 200
    big = b"b" * (MAX_UPLOAD + 1)
    assert client.put(f"/blobs/{sha256(big).hex()}", content=big).status_code == 413

    def pieces() -> Iterator[bytes]:
        yield big[:4000]
        yield big[4000:]

    assert client.put(f"/blobs/{sha256(big).hex()}", content=pieces()).status_code == 413


@pytest.mark.parametrize(
    "name", ["..%2f..%2fetc%2fpasswd", "0x" + "ab" * 32, "AB" * 32, "ab" * 31, "ab" * 32 + "%0a"]
)
def test_blobs__a_name_that_is_no_hash__is_refused(client: TestClient, name: str) -> None:
    for method in ("GET", "HEAD", "PUT"):
        assert client.request(method, f"/blobs/{name}").status_code in (400, 404)


def test_lists__more_than_a_page__are_followed_by_their_cursors(w: World, client: TestClient) -> None:
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = client.get("/miners", params={"limit": 2, "after": cursor}).json()
        seen += [item["address"] for item in page["items"]]
        cursor = page["next"]
    assert sorted(seen) == sorted(m.address for m in w.miners)
    events = client.get("/chain/events", params={"limit": 1}).json()
    assert events["items"][0]["kind"] == "TaskCreated"
    older = client.get("/chain/events", params={"limit": 1, "before": events["next"]}).json()
    assert (older["items"][0]["kind"], older["next"]) == ("EpochAdvanced", None)
    assert client.get("/tasks", params={"limit": 501}).status_code == 422
    assert client.get("/tasks", params={"before": 1}).json() == {"items": [], "next": None}


def test_reading__what_is_there_and_what_is_not(w: World, client: TestClient) -> None:
    assert client.get("/healthz").json() == {"status": "ok", "chain_id": 31337, "block": 2}
    assert client.get("/tasks/2").status_code == 404
    assert client.get("/tasks/0").status_code == 422
    (task,) = client.get("/tasks").json()["items"]
    assert (task["task_id"], task["title"], task["arch"]) == ("1", "digits", "mlp")
    network = client.get("/network").json()
    assert (network["tasks"], network["epoch"], network["miners_live"]) == ({"running": 1}, 1, 3)
    schema = client.get("/openapi.json").json()
    assert {"/contributions", "/tasks/{task_id}", "/events", "/blobs/{sha256}"} <= set(schema["paths"])
    text = client.get("/metrics").text
    assert 'pot_tasks{status="running"} 1.0' in text
    assert "pot_jobs_waiting 2.0" in text
    assert "pot_database_up 1.0" in text


async def _read(w: World, start: int, count: int, task: int | None = None) -> list[str]:
    api = api_of(w)
    api.hub.start(asyncio.get_running_loop())
    streams = Streams(5)
    stream = _stream(api, streams, start, task)
    got: list[str] = []
    try:
        async with asyncio.timeout(10):
            async for text in stream:
                got.append(text)
                if len(got) > count:
                    break
    finally:
        await stream.aclose()  # type: ignore[attr-defined]
        api.hub.stop()
    assert streams.open == 0
    return got[1:]


def ids(entries: list[str]) -> list[int]:
    return [int(entry.split("\n")[0].removeprefix("id: ")) for entry in entries]


def test_events__resumed_after_an_id__nothing_is_lost_or_told_twice(w: World) -> None:
    with w.store.read() as tx:
        everything = [entry.id for entry in tx.feed.after(0, 500)]
    assert len(everything) > 4
    got = asyncio.run(_read(w, 0, len(everything)))
    assert ids(got) == everything
    resumed = asyncio.run(_read(w, everything[2], len(everything) - 3))
    assert ids(resumed) == everything[3:]
    told = json.loads(got[0].split("data: ")[1])
    assert told["id"] == everything[0]
    assert set(told) == {"id", "at_s", "kind", "task_id", "data"}


def test_events__only_one_task__others_are_left_out(w: World) -> None:
    with w.store.write() as tx:
        tx.feed.add("test", 1.0, 99, text="hostile\n\nevent: x")
    (entry,) = asyncio.run(_read(w, 0, 1, task=99))
    assert entry.count("\n") == 4  # line ends inside data are escaped: nobody can forge an event
    assert json.loads(entry.split("data: ")[1])["data"] == {"text": "hostile\n\nevent: x"}


def test_events__happening_while_listening__arrive_at_once(w: World) -> None:
    async def listen() -> list[str]:
        with w.store.read() as tx:
            newest = tx.feed.newest_id()
        waiting = asyncio.create_task(_read(w, newest, 1))
        await asyncio.sleep(0.3)

        def add() -> None:
            with w.store.write() as tx:
                tx.feed.add("test", 1.0, None, text="hello")

        await asyncio.to_thread(add)
        return await waiting

    (entry,) = asyncio.run(listen())
    assert "event: test" in entry


def test_events__a_client_far_behind_the_memory__reads_on_from_the_database(w: World) -> None:
    kept = 20
    hub = FeedHub(w.store, kept)
    with w.store.read() as tx:
        first = tx.feed.newest_id()
    hub.newest_id = hub._complete_after = first
    with w.store.write() as tx:
        for number in range(kept + 250):
            tx.feed.add("test", 1.0, None, number=number)
    while hub._take_page():
        pass
    seen, last = [], first
    while page := hub.after(last):
        seen += [entry.data["number"] for entry in page]
        last = page[-1].id
    assert seen == list(range(kept + 250))


def test_events__more_streams_than_allowed__are_turned_away(w: World) -> None:
    app = create_app(api_of(w))
    with TestClient(app, raise_server_exceptions=False) as client:
        app.state.streams.open = app.state.streams.limit
        assert client.get("/events").status_code == 503


@pytest.mark.parametrize(
    "changes",
    [
        {"port": 0},
        {"index_poll_s": 0.0},
        {"parts": ("api", "kitchen")},
        {"parts": ()},
        {"blob_url": "http://gateway"},
        {"rpc_url": ""},
    ],
)
def test_config__out_of_range__names_the_setting(changes: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(changes))):
        config(**changes)
