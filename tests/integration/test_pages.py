"""The pages over a real store: what they show, what they never run, what they promise to browsers."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from coordinator.services.accept_contribution import HandedIn, accept_contribution
from coordinator.store.work_tables import ContributionRow, MinerRow
from coordinator.web.assets import Assets, integrity_of
from protocol.chain.events import ValidatorJoined
from protocol.errors import ConfigurationError
from protocol.ids import parse_address
from tests.integration.test_api import config
from tests.support.coordinator_world import World, world
from tests.support.pages import served

HTML = {"Accept": "text/html"}
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{7*7}}javascript:alert(3)"


class Tags(HTMLParser):
    """Every start tag with its attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


@contextmanager
def certified(folder: Path) -> Iterator[World]:
    """A task with one certified round."""
    with world(folder, {"max_uncertified_rounds": 2}) as made:
        made.post_task()
        made.drive()
        for lease in made.leases():
            signed = {**made.work(lease).to_json(), "attempt": lease.attempt, "fence": lease.fence}
            accept_contribution(made.ctx, HandedIn.from_json(signed))
        made.drive()
        made.certify(made.asked.requests[-1][3])
        made.drive()
        yield made


@pytest.fixture(scope="module")
def w(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Read only."""
    with certified(tmp_path_factory.mktemp("pages")) as made:
        yield made


@pytest.fixture(scope="module")
def client(w: World) -> Iterator[TestClient]:
    with TestClient(served(w.ctx, config()), headers=HTML) as opened:
        yield opened


def pages_of(w: World) -> list[str]:
    miner, member = w.miners[0].address, w.members[0].address
    fixed = ["/", "/task", "/task/1", "/miner", "/validator", "/account", "/audit", "/nowhere"]
    return [*fixed, f"/account/{miner}", f"/miner/{miner}", f"/validator/{member}", "/audit?task=1"]


def test_pages__each__come_whole_with_a_strict_policy_and_integrity(w: World, client: TestClient) -> None:
    for path in pages_of(w):
        answer = client.get(path)
        assert answer.status_code == (404 if path == "/nowhere" else 200), path
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        tags = Tags(answer.text).found
        for tag, attributes in tags:
            assert not [name for name in attributes if name.startswith("on") or name == "style"], path
            for name in ("href", "src"):
                assert not str(attributes.get(name, "")).startswith(("http:", "https:", "//", "javascript:"))
            if tag in ("script", "link") and "icon" not in str(attributes.get("rel")):
                where = attributes.get("src") or attributes.get("href")
                if where is None:
                    assert attributes["type"] == "importmap"
                    continue
                found = client.get(where)
                assert attributes["integrity"] == integrity_of(found.content), where
                assert "immutable" in found.headers["cache-control"]
        assert sum(tag == "h1" for tag, _ in tags) == 1, path


def test_modules__every_import__is_served_and_covered_by_the_map(client: TestClient) -> None:
    assets = Assets()
    known = json.loads(assets.import_map)
    seen = 0
    for url, integrity in known["integrity"].items():
        script = client.get(url)
        assert integrity_of(script.content) == integrity
        if "/vendor/" in url:
            continue
        for named in re.findall(r'(?<![\w."])(?:from|import\()\s*"([^"]+)"', script.text):
            target = known["imports"].get(named) or url.rpartition("/")[0] + "/" + named.removeprefix("./")
            assert target in known["integrity"], f"{url} imports {named}"
            seen += 1
    assert seen > 5
    assert client.get("/static/0000000000000000/main.js").status_code == 404


def test_assets__a_library_that_is_not_the_locked_one__stops_the_process(tmp_path: Path) -> None:
    planted = tmp_path / "ethers" / "dist" / "ethers.min.js"
    planted.parent.mkdir(parents=True)
    planted.write_text("steal()")
    with pytest.raises(ConfigurationError, match="locked"):
        Assets(packages=tmp_path)
    planted.unlink()
    assert not Assets(packages=tmp_path).complete
    assert Assets().complete


def test_task_page__a_certified_round__shows_money_signers_and_evidence(w: World, client: TestClient) -> None:
    text = client.get("/task/1").text
    with w.store.read() as tx:
        certificate = tx.chain.last_certificate(1)  # type: ignore[arg-type]
        assert certificate is not None
    assert f'href="/tx/0x{certificate.tx_hash.hex()}"' in text
    assert "80,000" in text
    assert text.count('<span class="pill certified">') >= 3
    for name in ("Funded", "Reserved", "Paid", "Claimable", "Waiting", "Refundable", "Refunded"):
        assert f">{name}</th>" in text
    assert re.search(r'data-news="[1-9][0-9]*"', text)
    given = client.get("/task/1", params={"verdict": "faulty"}).text
    assert "No contribution." in given


def test_pages__hostile_names_and_errors__are_text_and_nothing_else(tmp_path: Path) -> None:
    with certified(tmp_path) as w:
        _plant(w)
        with TestClient(served(w.ctx, config()), headers=HTML) as client:
            _nothing_runs(w, client)


def _plant(w: World) -> None:
    """Hostile text wherever a stranger may write some."""
    w.mine(ValidatorJoined(where=w.where(), account=parse_address(w.members[1].address), endpoint=HOSTILE))
    with w.store.write() as tx:
        task = tx.tasks.get(1)
        assert task is not None
        assert task.spec is not None
        task.spec = {**task.spec, "title": HOSTILE}
        task.note = HOSTILE
        for miner in tx.session.query(MinerRow):
            miner.device = HOSTILE
        for given in tx.session.query(ContributionRow):
            given.reason = HOSTILE


def _nothing_runs(w: World, client: TestClient) -> None:
    hostile_seen = 0
    for path in [*pages_of(w), f"/task/9999?account={HOSTILE}", f"/audit?kind={HOSTILE[:100]}"]:
        text = client.get(path).text
        hostile_seen += "alert(1)" in text
        tags = Tags(text).found
        plain = [attributes for tag, attributes in tags if tag == "script" and "src" not in attributes]
        assert [attributes["type"] for attributes in plain] == ["importmap"], path
        assert not [tag for tag, attributes in tags if tag == "img" and attributes.get("src") == "x"], path
        assert "49javascript" not in text
    assert hostile_seen >= 6


def test_errors__asked_for_by_a_browser_or_a_program__are_pages_or_json(client: TestClient) -> None:
    shown = client.get("/task/77")
    assert shown.status_code == 404
    assert "There is no task 77." in shown.text
    assert "<h1>" in shown.text
    told = client.get("/tasks/77", headers={"Accept": "application/json"})
    assert told.json() == {"error": "NoSuchTask", "message": "There is no task 77."}
    away = client.get("/block")
    assert away.status_code == 503
    assert "connection refused" in away.text
    assert client.get("/account/0x12").status_code == 400


def test_audit__events__are_filtered_paged_and_taken_home_as_jsonl(w: World, client: TestClient) -> None:
    everything = [json.loads(line) for line in client.get("/audit/events.jsonl").text.splitlines()]
    assert {event["kind"] for event in everything} == {"EpochAdvanced", "TaskCreated", "CertificateAccepted"}
    assert [event["id"] for event in everything] == sorted((e["id"] for e in everything), reverse=True)
    chosen = client.get("/audit/events.jsonl", params={"kind": "TaskCreated", "task": "1"}).text.splitlines()
    assert [json.loads(line)["kind"] for line in chosen] == ["TaskCreated"]
    shown = client.get("/audit", params={"kind": "TaskCreated"}).text
    assert shown.count("<summary>TaskCreated</summary>") == 1
    assert "<summary>CertificateAccepted</summary>" not in shown


def test_live__every_kind_of_news__is_one_that_the_page_listens_for() -> None:
    root = Path(__file__).resolve().parents[2]
    told: set[str] = set()
    for path in (root / "coordinator").rglob("*.py"):
        told |= set(re.findall(r'feed\.add\(\s*"([a-z_.]+)"', path.read_text()))
    script = (root / "coordinator" / "web" / "static" / "live.js").read_text()
    heard = set(re.findall(r'^  "([a-z_.]+)",$', script, re.MULTILINE))
    assert told == heard
    assert len(told) > 10


def test_account_page__an_account_that_earned_nothing__says_why_and_what_to_do(tmp_path: Path) -> None:
    with certified(tmp_path) as w, TestClient(served(w.ctx, config()), headers=HTML) as client:
        stranger = client.get("/account/0x" + "12" * 20).text
        assert "No miner with this address was ever heard of." in stranger
        w.clock_s += 3600
        found = client.get("/miners", headers={"Accept": "application/json"}).json()["items"]
        idle = next(item["address"] for item in found if item["earned"] == "0")
        busy = next(item["address"] for item in found if item["earned"] != "0")
        assert "Its last heartbeat came" in client.get(f"/account/{idle}").text
        assert "Why nothing is earned" not in client.get(f"/account/{busy}").text
