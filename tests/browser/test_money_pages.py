"""Stakes, appeals, replaced transactions, contests, aggregates and audits in a browser: real contracts on a
real chain, real keys in a test wallet, the chain's clock moved by the test."""

import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from eth_account import Account
from playwright.sync_api import Browser, Page, Route, expect

from anvil.chain import AnvilOptions, AnvilProcess, fresh_chain_id
from coordinator.services.read_contest_specs import read_contest_specs
from pot.audit.audit import audit_task
from protocol.bls import BlsSecret, aggregate
from protocol.chain.client import ChainClient
from protocol.chain.contest import ContestStatus
from protocol.chain.sender import Sender
from protocol.ids import TaskId, Wei, parse_address
from protocol.learning_payload import payload_list, sign_payload
from protocol.signing import KeySigner
from tests.browser.conftest import PATIENCE_MS, visitor
from tests.browser.looks import look_at
from tests.integration.test_pot_on_chain import SPEC
from tests.support.contests import KEY
from tests.support.page_contests import ByHand
from tests.support.page_network import PageNetwork, page_network, write_draft
from tests.support.pages import listening
from tests.support.pot_network import PotNetwork
from tests.support.wallet import Wallet

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
expect.set_options(timeout=PATIENCE_MS)
INDEX_EVERY_S = 0.3
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>"
VECTORS = Path(__file__).parents[1] / "vectors" / "bls.json"


@contextmanager
def followed(made: PageNetwork) -> Iterator[None]:
    """The index follows the chain, as a coordinator's thread lets it."""
    stopping = threading.Event()

    def follow() -> None:
        while not stopping.wait(INDEX_EVERY_S):
            made.index()
            read_contest_specs(made.app.state.web.ctx)

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join(30)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageNetwork]:
    """A task with one certified round of two."""
    log = tmp_path_factory.mktemp("chain") / "anvil.log"
    with AnvilProcess(AnvilOptions(chain_id=fresh_chain_id()), log=log) as chain:
        network = PotNetwork.build(tmp_path_factory.mktemp("network"), ChainClient(chain.rpc_url))
        with page_network(network) as built:
            poster = built.client("poster")
            network.certify_round(poster.post(poster.draft(write_draft(network.folder, SPEC))).task_id)
            with followed(built):
                yield built


@pytest.fixture(scope="module")
def url(made: PageNetwork) -> Iterator[str]:
    with listening(made.app) as where:
        yield where


def wallet_of(made: PageNetwork, name: str | None = None) -> Wallet:
    """A wallet with the key of ``name``, or with a fresh one that holds nothing."""
    chain = made.network.contracts.client
    account = Account.create() if name is None else made.network.accounts[name]
    chain_id = chain.chain_id()
    return Wallet(account=account, chain=chain, chain_id=chain_id, known_chains={chain_id})


def open_account(page: Page, url: str, wallet: Wallet) -> None:
    page.goto(f"{url}/account/{wallet.account.address}")
    expect(page.locator("body[data-wallet=ready]")).to_be_attached()
    if page.locator("#connect").count():
        page.get_by_role("button", name="Connect wallet").click()
    expect(page.locator("#wallet a")).to_be_visible()


def use_faucet(page: Page) -> None:
    page.get_by_role("button", name="Faucet").click()
    expect(page.locator("#notices")).to_contain_text("coin.")


# Appeals ---------------------------------------------------------------------------------------------------


def test_miner__whose_work_was_declared_a_fault__appeals_before_the_deadline(
    browser: Browser, made: PageNetwork, url: str
) -> None:
    network, poster = made.network, made.client("poster")
    text = SPEC.replace("round_deadline: 20s", "round_deadline: 20s, challenge_window: 10m")
    task = poster.post(poster.draft(write_draft(network.folder, text))).task_id
    signed = network.signed_fault(task)
    Sender(network.contracts.client, network.accounts["validator-1"]).send(
        network.contracts.market.certify(signed)
    )
    wallet = wallet_of(made, "miner-2")
    with visitor(browser, wallet) as page:
        open_account(page, url, wallet)
        appeal = page.locator("#money .appeal")
        expect(appeal).to_contain_text(f"task {task}")
        expect(appeal).to_contain_text(" UTC")
        use_faucet(page)
        before = wallet.asked.count("eth_sendTransaction")
        appeal.click()
        expect(page.locator("#notices")).to_contain_text("Appeal against the fault")
        expect(page.locator("#notices")).to_contain_text("round 1 shard 1: done.")
        assert wallet.asked.count("eth_sendTransaction") == before + 2  # the bond's approval, then the appeal
        expect(appeal).to_have_count(0)
    assert network.contracts.appeals.dispute(task, 1).cases == 1


# Transactions on their way ---------------------------------------------------------------------------------


@contextmanager
def no_blocks(chain: ChainClient) -> Iterator[None]:
    """Transactions wait."""
    chain.rpc("evm_setAutomine", False)
    try:
        yield
    finally:
        chain.rpc("evm_setAutomine", True)


WATCH = """() => {
  const place = document.getElementById("notices");
  window.said = [];
  const note = () => window.said.push(place.innerText);
  new MutationObserver(note).observe(place, {childList: true, subtree: true});
}"""


def until_said(page: Page, text: str) -> None:
    """Also when a later notice took its place."""
    page.wait_for_function("text => window.said.some((said) => said.includes(text))", arg=text)


@pytest.mark.parametrize("other", [False, True])
def test_transaction__replaced_in_the_wallet__is_followed_to_its_end(
    browser: Browser, made: PageNetwork, url: str, other: bool
) -> None:
    contracts = made.network.contracts
    wallet = wallet_of(made)
    with visitor(browser, wallet) as page:
        open_account(page, url, wallet)
        use_faucet(page)
        sender, stake = Sender(contracts.client, wallet.account), Wei(10**18)
        sender.send(contracts.token.approve(contracts.vault.address, stake))
        sender.send(contracts.vault.deposit(stake))
        made.index()
        page.reload()
        page.evaluate(WATCH)
        with no_blocks(contracts.client):
            page.get_by_role("button", name="Take the stake out").click()
            until_said(page, "Take the stake out is on its way.")
            changes = {"data": "0x", "to": wallet.account.address} if other else {}
            wallet.send_again(**changes)
            contracts.client.rpc("evm_mine")
        if other:
            until_said(page, "was replaced by another transaction of your wallet: nothing of it happened.")
            assert contracts.vault.unbonding_of(parse_address(wallet.account.address))[0] == 0
        else:
            until_said(page, "the wallet sent it again with another fee.")
            until_said(page, "Take the stake out: done.")
            assert contracts.vault.unbonding_of(parse_address(wallet.account.address))[0] == stake


# Contests --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def hands(made: PageNetwork) -> ByHand:
    return ByHand(network=made.network)


def test_contest__from_the_key_to_the_prize__is_seen_and_driven_from_wallets(
    browser: Browser, made: PageNetwork, url: str, hands: ByHand
) -> None:
    network = made.network
    number, entries = hands.enter(f"won {HOSTILE}", 0)
    hands.end_commitments(number)
    poster = wallet_of(made, "poster")
    with visitor(browser, poster) as page:
        made.index()
        page.goto(f"{url}/contest/{number}")
        page.get_by_role("button", name="Connect wallet").click()
        expect(page.locator("h1")).to_contain_text(HOSTILE)
        page.locator("[name=key]").fill("00" * 32)
        page.get_by_role("button", name="Release the key").click()
        expect(page.locator("#notices")).to_contain_text("not the key")
        assert "eth_sendTransaction" not in poster.asked
        page.locator("[name=key]").fill(KEY.hex())
        page.get_by_role("button", name="Release the key").click()
        expect(page.locator("#status .pill").first).to_have_text("released")
        hands.reveal(entries)
        expect(page.locator("#entries")).to_contain_text("revealed")
        hands.score(number, _payloads(made))
        expect(page.locator("#scores")).to_contain_text("3 of 4 members")
        page.reload()
        page.get_by_role("button", name=f"Close contest {number}").click()
        expect(page.locator("#status .pill").nth(1)).to_have_text("won")
        expect(page.locator("#entries tr.here .pill.winner")).to_be_visible()
        expect(page.locator("#escrow")).to_contain_text("To the winner")
        page.get_by_role("link", name="block 1", exact=True).click()
        expect(page.locator("#hashed")).to_contain_text("it leads to this name")
        expect(page.locator("main")).to_contain_text(HOSTILE)
    winner = wallet_of(made, "miner-2")
    owed = network.contracts.contest.owed(parse_address(winner.account.address))
    assert owed == 1000
    with visitor(browser, winner) as page:
        open_account(page, url, winner)
        page.locator("#money .collect").click()
        expect(page.locator("#notices")).to_contain_text("from contests: done.")
        expect(page.locator("#money .collect")).to_have_count(0)
    assert network.contracts.contest.owed(parse_address(winner.account.address)) == 0


def _payloads(made: PageNetwork) -> bytes:
    """A list with one payload that somebody wrote to harm readers."""
    author = KeySigner(bytes(Account.create().key))
    domain = made.network.contracts.deployment.contest_domain
    return made.network.blobs.put(payload_list([sign_payload(author, domain, 0, HOSTILE.encode())]))


def test_contest__doubted_in_the_window__is_challenged_with_a_bond(
    browser: Browser, made: PageNetwork, url: str, hands: ByHand
) -> None:
    number, entries = hands.enter("doubted", 600)
    hands.end_commitments(number)
    hands.send("poster", made.network.contracts.contest.release(number, KEY))
    hands.reveal(entries)
    hands.score(number)
    made.index()
    wallet = wallet_of(made)
    with visitor(browser, wallet) as page:
        page.goto(f"{url}/contest/{number}")
        page.get_by_role("button", name="Connect wallet").click()
        use_faucet(page)
        page.get_by_role("button", name="Challenge the scores").click()
        expect(page.locator("#status .pill").first).to_have_text("challenged")
        expect(page.locator("#phases")).to_contain_text("a larger court counts again")
        expect(page.locator("#scores")).to_contain_text(wallet.account.address[:10])
    assert made.network.contracts.contest.contest(number).status is ContestStatus.CHALLENGED


@pytest.mark.parametrize(("dark", "phone"), [(False, False), (True, True), (False, True), (True, False)])
def test_contest_pages__in_light_and_dark__are_accessible_small_and_fit(
    browser: Browser, made: PageNetwork, url: str, hands: ByHand, dark: bool, phone: bool
) -> None:
    """Their pictures go to POT_SCREENSHOTS, when that names a folder."""
    chosen = os.environ.get("POT_SCREENSHOTS")
    winner = made.network.accounts["miner-2"].address
    paths = {
        "won": "/contest/1",
        "doubted": "/contest/2",
        "contest-list": "/contest",
        "learning-chain": "/learning",
        "learning-block": "/learning/1",
        "winner": f"/account/{winner}",
        "contest-events": "/audit?contest=1",
        "network-contests": "/",
    }
    for name, path in paths.items():
        look = f"{'-dark' if dark else ''}{'-phone' if phone else ''}"
        shot = Path(chosen) / f"{name}{look}.png" if chosen else None
        look_at(browser, f"{url}{path}", shot, dark=dark, phone=phone)


# Checks in the browser -------------------------------------------------------------------------------------


def test_bls__the_shared_vectors__hold_in_the_browser(browser: Browser, made: PageNetwork, url: str) -> None:
    vectors = json.loads(VECTORS.read_text())
    with visitor(browser) as page:
        page.goto(f"{url}/audit")
        found = page.evaluate(
            """async ([url, v]) => {
              const bls = await import(url);
              const text = (hex) => hex.slice(2).match(/../g).map((pair) => String.fromCharCode(parseInt(pair, 16))).join("");
              const tag = text(v.rfc9380.dst);
              const named = v.members.filter((_, place) => (BigInt(v.signers) >> BigInt(place)) & 1n).map((m) => m.key);
              const outside = () => { try { bls.keyPoint(v.outside_g2); return false; } catch { return true; } };
              return {
                hashes: v.rfc9380.vectors.every(({ message, point }) => bls.packed(bls.hashed(message, tag)) === point),
                holds: bls.isSignedBy(v.digest, v.signature, named),
                fewer: bls.isSignedBy(v.digest, v.signature, named.slice(1)),
                other: bls.isSignedBy(v.digest.slice(0, -1) + (v.digest.endsWith("0") ? "1" : "0"), v.signature, named),
                nobody: bls.isSignedBy(v.digest, v.signature, []),
                infinity: bls.isSignedBy(v.digest, `0x${"00".repeat(96)}`, named),
                possession: bls.isSignedBy(v.digest, v.signature, named, text(v.possession_tag)),
                outside: outside(),
              };
            }""",  # noqa: E501
            [made.app.state.web.pages.assets.url("bls.js"), vectors],
        )
    assert found == {
        "hashes": True,
        "holds": True,
        "fewer": False,
        "other": False,
        "nobody": False,
        "infinity": False,
        "possession": False,
        "outside": True,
    }


@pytest.mark.parametrize("tampered", [False, True])
def test_certificate__with_one_aggregate__is_verified_in_the_browser(
    browser: Browser, made: PageNetwork, url: str, tampered: bool
) -> None:
    """The committee of this network signs by ECDSA; the evidence is given an aggregate instead."""
    with made.store.read() as tx:
        row = tx.chain.of_task(1, "CertificateAccepted")[0]
    digest = _digest(made, row.tx_hash)

    def evidence(route: Route) -> None:
        answer = route.fetch()
        document = answer.json()
        named = [m for place, m in enumerate(document["members"]) if int(document["signers"]) >> place & 1]
        secrets = {member: BlsSecret(7 + place) for place, member in enumerate(named)}
        signing = list(secrets.values())[1:] if tampered else list(secrets.values())
        summed = aggregate([secret.sign(digest) for secret in signing])
        keys = {member: "0x" + secret.key.hex() for member, secret in secrets.items()}
        route.fulfill(response=answer, json={**document, "signatures": "0x" + summed.hex(), "keys": keys})

    with visitor(browser) as page:
        page.route("**/evidence/*", evidence)
        page.goto(f"{url}/audit?task=1")
        expect(page.locator("body[data-checker=ready]")).to_be_attached()
        page.get_by_role("button", name="Check", exact=True).click()
        if tampered:
            expect(page.locator("#outcome")).to_contain_text("1 of ")
            expect(page.locator(".checks .bad")).to_contain_text("is not the BLS sum of 3 members")
        else:
            expect(page.locator("#outcome")).to_contain_text("checks passed.")
            expect(page.locator("#verdict")).to_contain_text("The signature is the BLS sum of 3 members")
            expect(page.locator("#verdict")).to_contain_text("The BLS keys are the coordinator's word")


def _digest(made: PageNetwork, tx_hash: bytes) -> bytes:
    """What the committee of the certificate behind a transaction signed."""
    contracts = made.network.contracts
    (signed,) = contracts.market.certify_arguments(contracts.client.transaction_input(tx_hash))
    return signed.certificate.digest(contracts.deployment.domain)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("nothing", "no lie found in"),
        ("model", "does not fit task 1"),
        ("market", "does not fit task 1"),
        ("lie", "a LIE: <b>x</b>"),
        ("text", "This is no JSON."),
        ("shape", "This is no audit of a task"),
    ],
)
def test_audit_file__handed_to_the_page__is_shown_and_compared_with_the_chain(
    browser: Browser, made: PageNetwork, url: str, change: str, sentence: str
) -> None:
    report = audit_task(made.network.contracts, made.network.blobs, 1, lambda last: range(1, last + 1))  # type: ignore[arg-type]
    document = report.to_json()
    assert report.ok
    match change:
        case "model":
            document["certificates"][0]["model"] = "22" * 32
        case "market":
            document["market"] = "0x" + "11" * 20
        case "lie":
            document |= {"ok": False, "lie": {"subject": "<b>x</b>", "detail": HOSTILE}}
        case "shape":
            del document["checks"]
    text = "no {json" if change == "text" else json.dumps(document)
    with visitor(browser) as page:
        page.goto(f"{url}/audit?task=1")
        expect(page.locator("body[data-replay=ready]")).to_be_attached()
        if change == "nothing":
            page.locator("#replay [name=file]").set_input_files(
                {"name": "audit.json", "mimeType": "application/json", "buffer": text.encode()}
            )
        else:
            page.locator("#replay [name=text]").fill(text)
        page.get_by_role("button", name="Show", exact=True).first.click()
        outcome = page.locator("#replay-outcome")
        expect(outcome).to_contain_text(sentence)
        good = change == "nothing"
        assert ("good" in (outcome.get_attribute("class") or "")) is good
        if good:
            expect(page.locator("#replay-result")).to_contain_text(
                "Its 1 certificates are those on the chain"
            )


# The keyboard ----------------------------------------------------------------------------------------------


def test_form__without_a_mouse__is_filled_in_quoted_and_posted(
    browser: Browser, made: PageNetwork, url: str
) -> None:
    with visitor(browser, wallet_of(made, "poster")) as page:
        page.goto(f"{url}/post")
        expect(page.locator("body[data-form=ready]")).to_be_attached()
        _tab_to(page, "#connect")
        page.keyboard.press("Enter")
        expect(page.locator("#wallet a")).to_be_visible()
        _tab_to(page, "[name='title']")
        page.keyboard.press("Control+A")
        page.keyboard.type("By keyboard")
        _tab_to(page, "[name='recipe.rounds']")
        page.keyboard.press("Control+A")
        page.keyboard.type("2")
        _tab_to(page, "#ask")
        page.keyboard.press("Enter")
        expect(page.locator("#quote")).to_contain_text("escrow")
        _tab_to(page, "#sign")
        page.keyboard.press("Enter")
        page.wait_for_url("**/task/*")
        task = TaskId(int(page.url.rpartition("/")[2]))
    spec = made.client("poster").spec(task)
    assert (spec.title, spec.recipe.rounds) == ("By keyboard", 2)


def _tab_to(page: Page, selector: str) -> None:
    """Tab until ``selector`` has the focus, which must be seen."""
    for _ in range(120):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"the keyboard does not reach {selector}")


# Stakes ----------------------------------------------------------------------------------------------------
# Last: the chain's clock jumps by the delay, and older snapshots of the validators are of no use after it.


def test_miner__takes_its_stake_out__waits_out_the_delay_and_has_it_back(
    browser: Browser, made: PageNetwork, url: str
) -> None:
    wallet, contracts = wallet_of(made), made.network.contracts
    who = parse_address(wallet.account.address)
    with visitor(browser, wallet) as page:
        open_account(page, url, wallet)
        use_faucet(page)
        sender, stake = Sender(contracts.client, wallet.account), Wei(250 * 10**18)
        sender.send(contracts.token.approve(contracts.vault.address, stake))
        sender.send(contracts.vault.deposit(stake))
        expect(page.locator("#stake")).to_contain_text("250 POT")
        page.reload()
        page.get_by_role("button", name="Take the stake out").click()
        expect(page.locator("#stake")).to_contain_text("free from")
        withdraw = page.get_by_role("button", name="Withdraw what is unbonded")
        expect(withdraw).to_be_disabled()
        assert contracts.vault.unbonding_of(who)[0] == stake
        made.network.pass_time(contracts.vault.unbonding_of(who)[1] - contracts.client.block().timestamp + 1)
        made.index()
        page.reload()
        before = contracts.token.balance_of(who)
        expect(withdraw).to_be_enabled()
        withdraw.click()
        expect(page.locator("#notices")).to_contain_text("Withdraw what is unbonded: done.")
        assert contracts.token.balance_of(who) == before + stake
        expect(withdraw).to_have_count(0)
