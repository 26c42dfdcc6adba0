"""Deploy the contracts: token, vault, committee, appeals, market, contest, canaries, which name each other by
addresses computed beforehand.
"""

from dataclasses import dataclass
from typing import Any, Final

from eth_abi.abi import encode
from eth_account.signers.local import LocalAccount

from anvil.transactions import Pipeline, settle
from contracts.compile import Artifact, compile_contracts
from protocol.chain.client import ChainClient
from protocol.chain.deployment import Deployment
from protocol.errors import Refused
from protocol.ids import Address, Wei

TOKEN_UNIT: Final = 10**18
DAY_S: Final = 86_400
VALIDATOR_STAKE: Final = Wei(10_000 * TOKEN_UNIT)
MAX_BOUNTY: Final = Wei(1_000 * TOKEN_UNIT)
APPEAL_BOND: Final = Wei(100 * TOKEN_UNIT)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploySettings:
    """What the constructors fix for ever. Amounts in the token's smallest unit.

    ``treasury`` None is the deployer; ``token`` None deploys the development token. ``unbonding_delay_s``
    must outlast the oldest epoch, the longest task and the time to settle its faults (7 + 30 + 7 days); a
    task with a challenge window needs three windows and two terms of a court more, and is refused when that
    is not there. ``appeal_bond`` is what one challenged leaf costs whoever is wrong about it,
    ``answer_term_s`` the time in which an accused validator shows what its sample was.
    """

    validator_stake: Wei = VALIDATOR_STAKE
    max_bounty: Wei = MAX_BOUNTY
    epoch_length_blocks: int = 1
    unbonding_delay_s: int = 75 * DAY_S
    appeal_bond: Wei = APPEAL_BOND
    court_term_s: int = 3 * DAY_S
    answer_term_s: int = DAY_S
    treasury: Address | None = None
    token: Address | None = None


def deploy(client: ChainClient, account: LocalAccount, settings: DeploySettings | None = None) -> Deployment:
    """Deploy everything from ``account`` and return the addresses.

    Raises:
        CompilationFailed, ToolchainError: there is nothing to deploy.
        Refused: a constructor said no, decoded; ServiceUnreachable: the chain does not answer or mine.
    """
    settings = settings or DeploySettings()
    artifacts, chain_id = compile_contracts(), client.chain_id()
    pipeline = Pipeline(client, account, chain_id)
    first = 0 if settings.token is None else -1  # place of the token among the creations
    token = settings.token or pipeline.created_address()
    vault, committee, appeals, market, contest, canaries = (
        pipeline.created_address(first + ahead) for ahead in range(1, 7)
    )
    treasury = settings.treasury or pipeline.address
    slashers = [committee, appeals, market, contest, canaries]
    creations: list[tuple[str, Address, tuple[Any, ...]]] = [
        ("DevToken", token, ()),
        (
            "StakeVault",
            vault,
            (token, settings.unbonding_delay_s, settings.max_bounty, treasury, slashers),
        ),
        ("Committee", committee, (vault, market, settings.validator_stake, settings.epoch_length_blocks)),
        ("Appeals", appeals, (token, vault, market, settings.appeal_bond, settings.court_term_s)),
        ("TrainingMarket", market, (token, vault, committee, appeals)),
        ("LearningContest", contest, (vault, committee, settings.appeal_bond, settings.court_term_s)),
        ("Canaries", canaries, (market, settings.answer_term_s)),
    ]
    wanted = creations[-first:] if settings.token is not None else creations
    sent = [pipeline.create(name, creation_code(artifacts[name], values)) for name, _, values in wanted]
    receipts = settle(client, sent)
    for (name, address, _), receipt in zip(wanted, receipts, strict=True):
        if receipt["contractAddress"].lower() != address.lower():
            raise Refused(f"{name} is at {receipt['contractAddress']}, not at {address}.", "Miswired")
    return Deployment(
        chain_id=chain_id,
        block=int(receipts[0]["blockNumber"], 16),
        market=market,
        vault=vault,
        committee=committee,
        appeals=appeals,
        contest=contest,
        canaries=canaries,
        token=token,
    )


def creation_code(artifact: Artifact, arguments: tuple[Any, ...]) -> bytes:
    """Bytecode, then the ABI-encoded constructor arguments. Raises EncodingError when they do not fit."""
    inputs = [item for entry in artifact.abi if entry["type"] == "constructor" for item in entry["inputs"]]
    return artifact.bytecode + encode([item["type"] for item in inputs], arguments)
