"""What became of each wrong-doer, in one sentence that begins with *caught* or *harmless*."""

from collections.abc import Callable
from typing import Final

from anvil.programs import CANARY
from pot.demo.cast import TAMPERED
from pot.report.document import Disturbance, Report
from protocol.members import max_faulty

TOKEN: Final = 10**18
#: Cheats that break a promise but sign nothing false: they lose pay, not stake.
WITHOUT_PROOF: Final = {
    "late": "harmless: its leases ran out and others did the shards; it lost the pay",
    "selective-abort": "harmless: others did the shards that it withheld; it lost their pay",
    "false-sum": "harmless: no coordinator takes it, and others did its shards; it lost the pay",
    "inside-tolerance": "harmless: it moved what honest rounding may move, and no accuracy was lost",
}
#: Cheats without a single honest shard.
ALWAYS_FALSE: Final = frozenset(
    ("lazy", "random", "scaled", "sign-flip", "wrong-shard", "one-batch", "false-batches", "alie", "ipm")
)


def answer(report: Report, item: Disturbance) -> list[str]:
    """Settle the outcome of one wrong-doer; returns a sentence for each thing that is not as it should be."""
    judge = OTHERS.get(item.kind)
    if judge is None:
        return _miner(report, item)
    if not item.acts:
        item.outcome = "never misbehaved"
        return [f"{item.target} ({item.kind}) never misbehaved: this run shows nothing about it."]
    return judge(report, item)


def honest_unharmed(report: Report) -> list[str]:
    """A sentence for each slash of somebody who was not told to cheat, and for each that is accused of false
    verdicts."""
    told = {item.target for item in report.disturbances}
    slashed = sorted({report.name_of(slash.miner) for slash in report.slashes} - told)
    named = sorted({report.name_of(address) for address in report.audit.false_verdicts} - told)
    return [f"{name} is honest and was slashed." for name in slashed] + [
        f"{name} is honest and the audit calls its verdicts false." for name in named
    ]


def _addresses(report: Report, name: str) -> list[str]:
    return [address for address, known in report.accounts.items() if known == name]


def _paid(report: Report, name: str) -> int:
    return sum(int(report.payouts.get(address, "0")) for address in _addresses(report, name))


def _miner(report: Report, item: Disturbance) -> list[str]:
    addresses = _addresses(report, item.target)
    slashed = sum(int(slash.amount) for slash in report.slashes if slash.miner in addresses)
    paid = _paid(report, item.target)
    money = f"slashed {slashed // TOKEN} POT, paid {paid // TOKEN} POT"
    if slashed:
        item.outcome = f"caught: re-executed, reported and excluded; {money}"
    else:
        item.outcome = f"{WITHOUT_PROOF.get(item.kind, 'not caught')}; {money}"
    problems = []
    if not slashed and item.kind not in WITHOUT_PROOF:
        problems.append(f"{item.target} cheated ({item.kind}) and was not slashed.")
    if paid and item.kind in ALWAYS_FALSE:
        problems.append(f"{item.target} cheated ({item.kind}) and was paid.")
    return problems


def _silent(_: Report, item: Disturbance) -> list[str]:
    item.outcome = (
        f"harmless: the others noticed its silence and took another primary ({item.noticed} say so)"
    )
    return [] if item.noticed else [f"{item.target} was silent and nobody took its place."]


def _lying(_: Report, item: Disturbance) -> list[str]:
    item.outcome = (
        f"harmless: every member found its proposals false ({item.noticed} say so), another one led"
    )
    return [] if item.noticed else [f"{item.target} lied and nobody found it false."]


def _equivocating(_: Report, item: Disturbance) -> list[str]:
    if int(item.slashed):
        item.outcome = (
            f"caught: both signatures were shown to the contract, slashed {int(item.slashed) // TOKEN} POT"
        )
    else:
        item.outcome = f"harmless: its words contradict and are kept as evidence ({item.noticed} say so)"
    found = int(item.slashed) or item.noticed
    return [] if found else [f"{item.target} signed two different things and nobody noticed."]


def _blind(report: Report, item: Disturbance) -> list[str]:
    own = set(_addresses(report, item.target))
    fewest = min((len(set(cert.signers) - own) for cert in report.certificates), default=0)
    lost = int(item.slashed) // TOKEN
    item.outcome = (
        f"caught: it made none of {item.acts} checks and signed for a canary, lost {lost} POT in "
        f"{item.tx_hash}; the audit names its evidence as forged; others signed each "
        f"certificate ({fewest} or more)"
    )
    if not lost:
        item.outcome = "not caught"
        return [f"{item.target} signed without looking and lost nothing."]
    if not own & set(report.audit.false_verdicts):
        return [f"{item.target} forged its evidence and the audit does not say so."]
    validators = sum(name.startswith("validator-") for name in report.accounts.values())
    if fewest > max_faulty(validators):
        return []
    return [f"A certificate carries only {fewest} signatures beside that of {item.target}."]


def _canary(report: Report, item: Disturbance) -> list[str]:
    """The poster's own miner is no wrong-doer, but its work is wrong: it must never be certified."""
    paid = _paid(report, item.target)
    item.outcome = f"harmless: the poster's canary, found by all that look; paid {paid // TOKEN} POT"
    return [f"The canary {item.target} was certified."] if paid else []


def _censoring(report: Report, item: Disturbance) -> list[str]:
    paid, addresses = _paid(report, item.victim), _addresses(report, item.victim)
    item.outcome = (
        f"harmless: {item.victim} had no work up to round {item.after_round} and lost no stake; another "
        f"coordinator took over and it earned {paid // TOKEN} POT"
    )
    problems = [] if paid else [f"{item.victim} was censored and never earned anything."]
    if any(slash.miner in addresses for slash in report.slashes):
        problems.append(f"{item.victim} was censored and slashed.")
    return problems


def _tampered(_: Report, item: Disturbance) -> list[str]:
    item.outcome = (
        f"caught: {item.acts} blobs overwritten, refused by their hashes ({item.noticed} times), stored again"
    )
    return [] if item.noticed else ["Blobs were overwritten and nobody noticed."]


OTHERS: Final[dict[str, Callable[[Report, Disturbance], list[str]]]] = {
    "silent-primary": _silent,
    "lying-primary": _lying,
    "equivocating-validator": _equivocating,
    "lazy-validator": _blind,
    "censoring-coordinator": _censoring,
    CANARY: _canary,
    TAMPERED: _tampered,
}
