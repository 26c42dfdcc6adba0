"""Posting, following and claiming in a browser, on a whole local network with real keys in a test wallet."""

import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from playwright.sync_api import Browser, Page, Route, expect

from anvil.toolchain import PROJECT_ROOT
from protocol.chain.client import ChainClient
from protocol.keystore import open_keystore
from tests.browser.conftest import PATIENCE_MS, visitor
from tests.browser.looks import look_at
from tests.support.wallet import Wallet

TIMEOUT_S = 240
pytestmark = [pytest.mark.slow, pytest.mark.timeout(TIMEOUT_S + 120)]
expect.set_options(timeout=PATIENCE_MS)


def pot(folder: Path, *arguments: str) -> Any:
    """The JSON document of one command run in ``folder``."""
    done = subprocess.run(
        [sys.executable, "-m", "pot", *arguments, "--json"],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        cwd=folder,
        env={name: value for name, value in os.environ.items() if not name.startswith("POT_")},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where a network runs."""
    made = tmp_path_factory.mktemp("net")
    try:
        pot(made, "network", "up", "--miners", "2")
        yield made
    finally:
        pot(made, "network", "down", "--purge")


@pytest.fixture(scope="module")
def network(folder: Path) -> Any:
    return json.loads((folder / ".pot" / "network.json").read_text())


def wallet_of(network: Any, name: str | None = None, **changes: Any) -> Wallet:
    """A wallet with the key of ``name``, or with a fresh one that holds nothing."""
    account = Account.create()
    if name is not None:
        account = open_keystore(Path(network["keystores"][name]), Path(network["password_file"]))
    chain = ChainClient(network["rpc_url"])
    values = {"chain_id": network["chain_id"], "known_chains": {network["chain_id"]}, **changes}
    return Wallet(account=account, chain=chain, **values)


def fill_in(page: Page, network: Any, rounds: int = 3) -> None:
    """A small task, quoted."""
    page.goto(f"{network['api_url']}/post")
    expect(page.locator("body[data-form=ready]")).to_be_attached()
    page.locator("[name='recipe.rounds']").fill(str(rounds))
    page.locator("[name='title']").fill("From <b>the</b> form")
    page.get_by_role("button", name="Quote").click()
    expect(page.locator("#quote")).to_contain_text("escrow")


def connect(page: Page) -> None:
    page.get_by_role("button", name="Connect wallet").click()
    expect(page.locator("#wallet a")).to_be_visible()


def test_poster__without_money_who_rejects_first__gets_a_trained_model(
    browser: Browser, network: Any, tmp_path: Path
) -> None:
    wallet = wallet_of(network)
    with visitor(browser, wallet) as page:
        fill_in(page, network)
        assert "eth_requestAccounts" not in wallet.asked
        connect(page)
        page.get_by_role("button", name="Sign and post").click()
        expect(page.locator("#problem")).to_contain_text("are missing. The faucet above gives some.")
        page.get_by_role("button", name="Faucet").click()
        expect(page.locator("#notices")).to_contain_text("coin.")
        wallet.rejects = 1
        page.get_by_role("button", name="Sign and post").click()
        expect(page.locator("#problem")).to_contain_text("You rejected this in the wallet")
        page.get_by_role("button", name="Sign and post").click()
        page.wait_for_url(re.compile("/task/[0-9]+$"))
        assert wallet.asked.count("eth_sendTransaction") == 1
        expect(page.locator("h1")).to_contain_text("From <b>the</b> form")
        expect(page.locator("#status")).to_contain_text("3 of 3 rounds certified")
        expect(page.locator("#status .pill")).to_have_text("completed")
        with page.expect_download() as coming:
            page.get_by_role("link", name="download").click()
        model = coming.value.path().read_bytes()
        shown = page.get_by_role("link", name="download").get_attribute("href")
        assert shown == f"/blobs/{hashlib.sha256(model).hexdigest()}"
        page.get_by_role("button", name="Close the task").click()
        expect(page.locator("#status .pill")).to_have_text("closed")


def test_poster__on_another_chain_with_a_wallet_that_signs_no_permits__is_led_there(
    browser: Browser, network: Any, folder: Path
) -> None:
    wallet = wallet_of(network, chain_id=1, known_chains={1}, signs_typed_data=False)
    pot(folder, "faucet", wallet.account.address)
    with visitor(browser, wallet) as page:
        fill_in(page, network, rounds=1)
        connect(page)
        expect(page.locator("#switch")).to_be_visible()
        page.get_by_role("button", name="Sign and post").click()
        page.wait_for_url(re.compile("/task/[0-9]+$"))
        assert wallet.chain_id == network["chain_id"]
        assert "wallet_addEthereumChain" in wallet.asked
        assert wallet.asked.count("eth_sendTransaction") == 2  # an approval, then the task
        expect(page.locator("#switch")).to_have_count(0)


def test_poster__who_reloads_while_the_wallet_waits__finds_the_task_all_the_same(
    browser: Browser, network: Any, folder: Path
) -> None:
    wallet = wallet_of(network, holding=True)
    pot(folder, "faucet", wallet.account.address)
    with visitor(browser, wallet) as page:
        fill_in(page, network, rounds=1)
        connect(page)
        page.get_by_role("button", name="Sign and post").click()
        expect(page.locator("#notices")).to_contain_text("confirm it in the wallet")
        while not wallet.held:
            page.wait_for_timeout(50)
        page.reload()
        expect(page.locator("#notices")).to_contain_text("waits for your signature")
        assert page.locator("[name='title']").input_value() == "From <b>the</b> form"
        wallet.release()
        expect(page.locator("#notices")).to_contain_text("done. It is task")
        page.locator("#notices").get_by_role("link", name="Look at it").click()
        expect(page.locator("h1")).to_contain_text("From <b>the</b> form")


def test_poster__with_a_spec_file__finds_the_form_filled_in(
    browser: Browser, network: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BROWSER", "/bin/true")
    said = pot(folder, "task", "post", str(PROJECT_ROOT / "examples" / "digits-mlp.yaml"), "--browser")
    wallet = wallet_of(network)
    pot(folder, "faucet", wallet.account.address)
    with visitor(browser, wallet) as page:
        page.goto(said["url"])
        expect(page.locator("[name='money.miner_stake']")).to_have_value("100 POT")
        expect(page.locator("[name='dataset.from']")).to_have_value("sha256")
        page.get_by_role("button", name="Quote").click()
        expect(page.locator("#quote")).to_contain_text("135 POT")
        connect(page)
        page.get_by_role("button", name="Sign and post").click()
        page.wait_for_url(re.compile("/task/[0-9]+$"))
        expect(page.locator("main")).to_contain_text(said["spec_hash"][:10])


def test_miner__with_something_due__claims_it_and_reads_why(browser: Browser, network: Any) -> None:
    wallet = wallet_of(network, "miner-1")
    with visitor(browser, wallet) as page:
        page.goto(f"{network['api_url']}/account")
        connect(page)
        page.wait_for_url(f"**/account/{wallet.account.address}")
        claims = page.locator("#money .claim")
        expect(claims.first).to_be_visible()
        before = wallet.asked.count("eth_sendTransaction")
        label = claims.first.text_content() or ""
        claims.first.click()
        expect(page.locator("#notices")).to_contain_text(f"{label}: done.")
        assert wallet.asked.count("eth_sendTransaction") == before + 1
        expect(page.get_by_text("Claimed").first).to_be_visible()
        expect(page.get_by_role("button", name="Take the stake out")).to_be_visible()
        page.locator("#parts").get_by_role("link", name=re.compile("why")).first.click()
        expect(page.locator(".reasons")).to_contain_text("for shard")
        expect(page.locator(".reasons")).to_contain_text("the reasons add up to it.")


def test_certificate__checked_in_the_browser__passes_and_agrees_with_the_chain(
    browser: Browser, network: Any
) -> None:
    with visitor(browser, wallet_of(network, "miner-2")) as page:
        page.goto(f"{network['api_url']}/audit?task=1")
        connect(page)
        page.get_by_role("button", name="Check", exact=True).click()
        expect(page.locator("#outcome")).to_contain_text("checks passed.")
        expect(page.locator("#verdict")).to_contain_text("Your wallet's node has the same certificate")
        assert page.locator(".checks .good").count() >= 10


def alter(document: dict[str, Any], what: str) -> None:
    """Change one thing in the evidence of a certificate."""
    match what:
        case "proof":
            node = document["proofs"][0]["proof"][0]
            document["proofs"][0]["proof"][0] = node[:-1] + ("0" if node[-1] != "0" else "1")
        case "amount":
            document["proofs"][1]["cumulative"] = str(int(document["proofs"][1]["cumulative"]) + 1)
        case "signature":
            document["signatures"] = "0x" + "11" * 64 + document["signatures"][130:]
        case "model":
            document["certificate"]["model"] = "0x" + "22" * 32


@pytest.mark.parametrize(
    ("what", "sentence"),
    [
        ("proof", "does not lead to the certified payouts"),
        ("amount", "does not lead to the certified payouts"),
        ("signature", "is by"),
        ("model", "is by"),
        ("record", "The segment record"),
    ],
)
def test_certificate__tampered_with__fails_and_says_where(
    browser: Browser, network: Any, what: str, sentence: str
) -> None:
    with visitor(browser) as page:

        def evidence(route: Route) -> None:
            answer = route.fetch()
            document = answer.json()
            alter(document, what)
            route.fulfill(response=answer, json=document)

        def record(route: Route) -> None:
            answer = route.fetch()
            body = answer.body()
            route.fulfill(response=answer, body=body.replace(b'"samples":64', b'"samples":65', 1) + b" ")

        page.route("**/evidence/*", evidence)
        if what == "record":
            page.route("**/blobs/*", record)
        page.goto(f"{network['api_url']}/audit?task=1")
        expect(page.locator("body[data-checker=ready]")).to_be_attached()
        page.get_by_role("button", name="Check", exact=True).click()
        expect(page.locator("#outcome")).to_contain_text("FAILED")
        expect(page.locator(".checks .bad").first).to_contain_text(sentence)


@pytest.mark.parametrize(("dark", "phone"), [(False, False), (True, True), (False, True), (True, False)])
def test_pages__each_in_light_and_dark__are_accessible_small_and_fit(
    browser: Browser, network: Any, dark: bool, phone: bool
) -> None:
    """Their pictures go to POT_SCREENSHOTS, when that names a folder."""
    chosen = os.environ.get("POT_SCREENSHOTS")
    miner, member = network["accounts"]["miner-1"], network["accounts"]["validator-1"]
    paths = {
        "network": "/",
        "tasks": "/task",
        "task": "/task/1",
        "why": f"/task/1/why?account={miner}",
        "contests": "/contest",
        "learning": "/learning",
        "genesis": "/learning/0",
        "miners": "/miner",
        "miner": f"/miner/{miner}",
        "validator": f"/validator/{member}",
        "validators": "/validator",
        "blocks": "/block",
        "block": "/block/1",
        "audit": "/audit?task=1",
        "post": "/post",
        "account": "/account",
    }
    for name, path in paths.items():
        look = f"{'-dark' if dark else ''}{'-phone' if phone else ''}"
        shot = Path(chosen) / f"{name}{look}.png" if chosen else None
        look_at(browser, f"{network['api_url']}{path}", shot, dark=dark, phone=phone)
