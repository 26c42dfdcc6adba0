"""What a contract said no with: custom errors decoded from the ABIs into sentences, never shown as hex."""

import re
from datetime import UTC, datetime
from functools import cache
from typing import Any

from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError
from eth_hash.auto import keccak

from protocol.chain.abi import CONTRACTS, load_abi
from protocol.errors import Refused

_ERROR_STRING = bytes.fromhex("08c379a0")
_REVERT_DATA = re.compile("0x(?:[0-9a-fA-F]{2}){4,}")
_PANIC = bytes.fromhex("4e487b71")


@cache
def _custom_errors() -> dict[bytes, tuple[str, list[tuple[str, str]]]]:
    """selector -> (name, [(argument, type)])."""
    table: dict[bytes, tuple[str, list[tuple[str, str]]]] = {}
    for contract in CONTRACTS:
        for item in load_abi(contract):
            if item["type"] == "error":
                arguments = [(argument["name"], argument["type"]) for argument in item["inputs"]]
                signature = f"{item['name']}({','.join(kind for _, kind in arguments)})"
                table[keccak(signature.encode())[:4]] = (item["name"], arguments)
    return table


def refusal(error: dict[str, Any]) -> Refused:
    """The typed error for a JSON-RPC error object; revert data is decoded when there is any."""
    message = str(error.get("message", "no reason given"))
    data = revert_data(error.get("data"))
    if data is None:
        reason = _node_reason(message)
        return Refused(NODE_SENTENCES.get(reason, f"The chain refused: {message}."), reason)
    return decode_revert(data)


def decode_revert(data: bytes) -> Refused:
    """``data`` as returned by a reverted call: a custom error, ``Error(string)``, a panic, or nothing."""
    selector, body = data[:4], data[4:]
    try:
        if selector == _ERROR_STRING:
            return Refused(f"The contract refused: {decode(['string'], body)[0]}.", "Error")
        if selector == _PANIC:
            return Refused(f"The contract panicked with code {decode(['uint256'], body)[0]:#x}.", "Panic")
        if selector in _custom_errors():
            name, arguments = _custom_errors()[selector]
            values = decode([kind for _, kind in arguments], body)
            named = {key: value for (key, _), value in zip(arguments, values, strict=True)}
            return Refused(_sentence(name, named), name)
    except (DecodingError, ValueError):
        return Refused(f"The contract refused with malformed revert data 0x{data.hex()[:80]}.")
    return Refused(f"The contract refused without a known reason (0x{data.hex()[:80]}).")


def revert_data(data: Any) -> bytes | None:
    """The bytes in the ``data`` of a node's error, in the forms that nodes use; None when there are none."""
    if isinstance(data, dict):
        data = data.get("data")
    if isinstance(data, str) and _REVERT_DATA.fullmatch(data):
        return bytes.fromhex(data[2:])
    return None


def _node_reason(message: str) -> str:
    lowered = message.lower()
    for fragment, reason in (
        ("nonce too low", "NonceTooLow"),
        ("already known", "AlreadyKnown"),
        ("already imported", "AlreadyKnown"),
        ("underpriced", "Underpriced"),
        ("insufficient funds", "InsufficientFunds"),
        ("less than block base fee", "FeeTooLow"),
    ):
        if fragment in lowered:
            return reason
    return "Node"


def _show(name: str, value: Any) -> str:
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if name in _MOMENTS and 0 <= value <= _LAST_SECOND:
        return f"{datetime.fromtimestamp(value, UTC):%Y-%m-%d %H:%M:%S} UTC"
    if name == "status" and 0 <= value < len(_STATUS):
        return _STATUS[value]
    if name == "phase" and 0 <= value < len(_PHASES):
        return _PHASES[value]
    return str(value)


def _sentence(name: str, values: dict[str, Any]) -> str:
    shown = {key: _show(key, value) for key, value in values.items()}
    template = SENTENCES.get(name)
    if template is not None:
        try:
            return template.format(**shown)
        except (KeyError, IndexError):
            pass
    detail = ", ".join(f"{key} = {value}" for key, value in shown.items())
    words = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name).strip()
    return f"The contract refused: {words}" + (f" ({detail})." if detail else ".")


NODE_SENTENCES = {
    "InsufficientFunds": "The account holds too little of the chain's coin to pay for gas. Send it some; on "
    "a local chain `pot faucet ADDRESS` does.",
}

SENTENCES = {
    # The token.
    "ERC20InsufficientBalance": "{sender} holds {balance} token units, {needed} are needed.",
    "ERC20InsufficientAllowance": "{spender} may move {allowance} token units, {needed} are needed: "
    "approve or permit first.",
    "ERC2612ExpiredSignature": "The permit expired at {deadline}: sign a new one.",
    "ERC2612InvalidSigner": "The permit was signed by {signer}, not by the owner {owner}.",
    # Tasks and their money.
    "TaskUnknown": "There is no task {taskId} on this deployment.",
    "TaskNotOpen": "Task {taskId} is {status}: it takes no more certificates and cannot be cancelled.",
    "TaskNotClosed": "Task {taskId} is {status}. The last signing fee is paid once it is closed: "
    "`pot task close {taskId}`.",
    "TaskNotEnded": "Task {taskId} is {status} and can be closed once all rounds are certified or its "
    "deadline, {deadline}, has passed.",
    "TaskNotStarted": "Task {taskId} begins at {startsAt}; nothing is certified before.",
    "CommitteeFixed": "The committee of task {taskId} is drawn: it cannot be cancelled any more, and can be "
    "closed at the latest after its deadline.",
    "NotSignedByMiner": "{miner} did not sign this contribution to task {taskId}, and pays nothing for it.",
    "WrongTask": "The contribution belongs to task {taskId}, not to task {expected}.",
    "TaskStarted": "Task {taskId} began at {startsAt}; it can only be cancelled before.",
    "DeadlinePassed": "The deadline of task {taskId}, {deadline}, has passed: close it.",
    "NotPoster": "Task {taskId} belongs to {poster}; {caller} cannot do this.",
    "OutOfBounds": "{field} is {value}; the contract allows {min} to {max}.",
    "ZeroHash": "{field} is empty.",
    "NoCommittee": "There is no committee yet: at least four validators have to join and somebody has to "
    "advance the epoch.",
    "EpochStale": "The committee of epoch {epoch} stands since {startedAt}, which is too long: advance the "
    "epoch first.",
    "NothingToClaim": "{account} has nothing more to claim from task {taskId}.",
    "NotSigner": "{account} did not sign the last certificate of task {taskId}, so it has no fee there.",
    "ClaimsExceedPaidTotal": "The claims on task {taskId} would come to {claims} token units, {paidTotal} "
    "are certified.",
    "ProofInvalid": "The Merkle proof does not lead to what is certified for task {taskId}: read its last "
    "certificate and try again.",
    "TransferMismatch": "The token delivered {received} units instead of {expected}.",
    "UnbondingTooShort": "Unbonding too short: stakes leave after {delay} s, and the longest way of such a "
    "task takes {needed} s. Choose an earlier deadline or a shorter challenge window.",
    "WindowOpen": "The last certificate of task {taskId} can be challenged until {closesAt}: close it then.",
    "WindowClosed": "Certificate {index} of task {taskId} could be challenged until {closedAt}.",
    "RecordUnknown": "Certificate {index} of task {taskId} is not kept, or the record shown is not its own: "
    "read the newest certificates and try again.",
    "NotMature": "The payouts of certificate {index} of task {taskId} wait for {maturesAt}, when its "
    "challenge window closes.",
    "RecordFrozen": "Certificate {index} of task {taskId} waits for the end of a dispute.",
    "RingFull": "Task {taskId} takes no further certificate before {freeAt}: let one cover more rounds.",
    # Disputes.
    "FaultSettled": "This fault in task {taskId} was slashed, or found wrong, before.",
    "JoiningEnded": "Dispute {dispute} of task {taskId} took cases until {endedAt}.",
    "DisputeFull": "Dispute {dispute} of task {taskId} holds {max} cases already.",
    "CaseExists": "This is in dispute {dispute} of task {taskId} already.",
    "VerdictTooEarly": "Dispute {dispute} of task {taskId} takes cases until {joinEnds}, and a verdict "
    "after.",
    "VerdictTooLate": "Dispute {dispute} of task {taskId} could be decided until {endedAt}.",
    "VerdictStillPossible": "Dispute {dispute} of task {taskId} can be decided until {endsAt}.",
    "CaseUnknown": "Dispute {dispute} of task {taskId} has no case {number}.",
    "CaseIsSettled": "The bond of case {number} was paid out before.",
    "CaseNotUpheld": "Case {number} of dispute {dispute} was not upheld.",
    "NotTheCase": "Case {number} of dispute {dispute} is about another contribution.",
    "AlreadyConvicted": "The miner of this contribution to task {taskId} was slashed for it before.",
    "AlreadyAssigned": "The court of dispute {dispute} of task {taskId} was summoned before.",
    "NobodyToPunish": "Nobody of these is left to be punished for case {number}.",
    # Certificates.
    "FirstRoundMismatch": "A certificate of task {taskId} has to begin with round {expected}, this one "
    "begins with {firstRound}.",
    "LastRoundOutOfBounds": "A certificate of task {taskId} has to end with a round from {min} to {max}, "
    "this one ends with {lastRound}.",
    "EpochMismatch": "Task {taskId} belongs to the committee of epoch {expected}, the certificate to epoch "
    "{epoch}.",
    "SpecMismatch": "The certificate is for another spec than task {taskId} was created with.",
    "ParentModelMismatch": "The certificate does not start from the certified model of task {taskId}.",
    "PaidTotalFell": "The certificate pays {paidTotal} token units in all, task {taskId} has certified "
    "{certified} already.",
    "PaidTotalExceedsEarned": "The certificate pays {paidTotal} token units and a fee of {fee}, the rounds "
    "of task {taskId} have earned {earned}.",
    "QuorumMissing": "The certificate has {have} signatures, {needed} are needed.",
    "SignerOutOfRange": "The certificate names a signer beyond the {members} members of the committee.",
    "SignaturesLength": "The signatures have {length} bytes, {needed} are needed.",
    "WrongSigner": "Signature {index} is by {recovered}, not by the member {expected}.",
    "MalleableSignature": "Signature {index} is not in its one valid form (its s is in the upper half).",
    # Stakes and slashes.
    "InsufficientStake": "{account} has a stake of {stake} token units, {needed} are needed.",
    "NothingUnbonding": "{account} has no stake on its way out: unbond some first.",
    "StillUnbonding": "The stake of {account} can be withdrawn from {unlocksAt} on; it is {time}.",
    "ZeroAmount": "The amount is zero.",
    "StakeTooLarge": "The stake would come to {stake} token units, at most {max} are possible.",
    "NotSlasher": "{caller} has no right to slash.",
    "NothingToSlash": "{account} has no stake left from the time of the fault ({faultAt}).",
    "AlreadySlashed": "This fault in task {taskId} was slashed already.",
    "FaultsExpired": "The faults of task {taskId} could be slashed until {expiredAt}.",
    # The committee.
    "AlreadyValidator": "{account} is a validator already.",
    "NotValidator": "{account} is not a validator: join first.",
    "PoolFull": "There are {max} validators already, no more can join.",
    "StakeTooSmall": "{account} has a stake of {stake} token units, a validator needs {needed}.",
    "EndpointLength": "The endpoint has {length} characters, at most {max} are possible.",
    "EpochNotOver": "The epoch can advance from block {readyAt} on; it is block {blockNumber}.",
    "EpochUnknown": "There is no epoch {epoch}.",
    "NotEnoughValidators": "{have} validators have joined, a committee needs {needed}.",
    "NotMember": "{account} is not a member of the committee of task {taskId}.",
    "CommitteeSizeInvalid": "A committee of {size} is not possible: it has 4, 7, 10, ... members, at most "
    "the {members} of the snapshot.",
    "PanelUnknown": "Task {taskId} has no committee, or no dispute number {dispute}.",
    "AlreadyDrawn": "The members are drawn already.",
    "DrawTooEarly": "The members are drawn with the hash of block {drawBlock}; it is block {blockNumber}.",
    "NotDrawn": "The committee of task {taskId} is not drawn yet: anybody can do that after block "
    "{drawBlock}.",
    "NoEquivocation": "The two certificates do not contradict each other.",
    "SignersDiffer": "The certificates are signed by {signerA} and by {signerB}, so they prove nothing.",
    "NotAmongSigners": "{signer} is not among the signers of both certificates.",
    "AlreadyProven": "That {signer} contradicted itself in task {taskId} was proven already.",
    # Contests.
    "ContestUnknown": "There is no contest {contestId} on this deployment.",
    "ContestIs": "Contest {contestId} is {phase}: this is not possible now.",
    "NotContestPoster": "Contest {contestId} is another account's; {caller} cannot do this.",
    "HasEntries": "Contest {contestId} has {entries} entries: it cannot be cancelled any more.",
    "HasNoEntries": "Nobody entered contest {contestId}, so nothing is to be released.",
    "ZeroCommitment": "The commitment is empty.",
    "AlreadyEntered": "{miner} has entered contest {contestId} before.",
    "ContestFull": "Contest {contestId} has its {max} entries.",
    "MinerStakeTooSmall": "{miner} has a stake of {stake} token units, the contest needs {needed}.",
    "TooEarly": "In contest {contestId} this is possible from {from} on; it is {time}.",
    "TooLate": "In contest {contestId} this was possible until {until}; it is {time}.",
    "WrongKey": "This is not the key that contest {contestId} promised to release.",
    "NotEntered": "{account} has no entry in contest {contestId}.",
    "AlreadyRevealed": "{account} has revealed its model in contest {contestId} before.",
    "CommitmentMismatch": "What is shown is not what was committed to in contest {contestId}.",
    "CertificateMismatch": "The scores are not of contest {contestId} as it stands: {field} differs.",
    "ScoreInvalid": "Entry {entry} of contest {contestId} cannot have the score {score}.",
    "NothingToDraw": "No panel of contest {contestId} waits to be drawn.",
    "PanelNotDrawn": "The panel of contest {contestId} is drawn with the hash of block {drawBlock}: anybody "
    "can do that in a later one.",
    "ContestsOpen": "Contests are open ({open}): the next block of the learning chain is to be won by "
    "training.",
    "StaleParent": "The learning chain has a newer block than the one that this one follows.",
    "HeightOutOfOrder": "The next block of the learning chain is number {needed}, not {height}.",
    "BlockTimeOutOfRange": "A block's time must be later than {parentTime} and at most {time}; it is "
    "{blockTime}.",
    "NotAPuzzle": "The block is no puzzle: its {field} is not a puzzle's.",
    "PuzzleUnsolved": "The block's hash is above the puzzle's target: its nonce solves nothing.",
    "PayloadsMismatch": "The list of payloads is not the one that the block names.",
    "NothingOwed": "No contest owes anything to {account}.",
    # Canaries.
    "MiswiredDeployment": "The contracts do not name each other: {what} is wrong.",
    "TaskBegun": "Task {taskId} began at {startsAt}: canaries and samples are committed to before.",
    "AlreadyPlanted": "Canaries are planted in task {taskId} already.",
    "NothingPlanted": "No canaries are planted in task {taskId}.",
    "SeedFixed": "{member} has committed to its sample of task {taskId} already.",
    "NotPlanted": "{miner} with this salt is not among the canaries planted in task {taskId}.",
    "AlreadyOpen": "The canary {miner} of task {taskId} is open already.",
    "NotOpened": "{miner} is not an opened canary of task {taskId}.",
    "NotABlock": "{skipped} bytes are not whole blocks of SHA-256.",
    "NotTheGradient": "The bytes shown do not end the gradient that was named.",
    "NotMarked": "The gradient does not carry the mark of a canary.",
    "NotSignedByMember": "The signature is not by {member}, but by {recovered}.",
    "TooLateToAccuse": "Members of task {taskId} could be accused until {endedAt}.",
    "AccusationIs": "The accusation is in another state ({status}).",
    "AnswerTooLate": "The accused member could answer until {answerBy}.",
    "StillAnswerable": "The accused member can answer until {answerBy}.",
    "NotTheSeed": "{member} committed to another sample of task {taskId}.",
    "SampleHolds": "The sample held round {round} shard {shard} of task {taskId}.",
    # BLS keys.
    "KeyRegisteredBefore": "{account} has registered its BLS key before; it stays the same for ever.",
    "KeyTaken": "This BLS key is {holder}'s.",
    "PointLength": "A BLS key or signature has {length} bytes, {needed} are needed.",
    "PossessionNotProven": "Nothing shows that {account} knows the secret of this BLS key.",
    "KeyMissing": "{account} has no BLS key: it has to register one first.",
    "MembersUnknown": "No list of members is stored at {members}.",
    "KeysGatheredBefore": "The BLS keys of these members are gathered already.",
    "KeysNotGathered": "The BLS keys of this committee are to be gathered first: anybody can do that.",
    "AggregateInvalid": "The aggregate is not signed by exactly the members of the bitmap {signers}.",
    "RealChain": "Development tokens exist on local chains only, not on chain {chainId}.",
}
_MOMENTS = frozenset(
    {"from", "until"}
    | {"deadline", "startsAt", "answerBy", "startedAt", "unlocksAt", "time", "faultAt", "expiredAt"}
    | {"closesAt", "closedAt", "maturesAt", "freeAt", "endedAt", "joinEnds", "endsAt"}
)
_STATUS = ("unknown", "open", "completed", "closed", "cancelled", "in dispute", "overturned")
_PHASES = ("unknown", "open for commitments", "released", "scored", "challenged", "closed")
_LAST_SECOND = 253_402_300_799  # of the year 9999
