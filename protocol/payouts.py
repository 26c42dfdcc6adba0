"""Who has earned what: cumulative payouts, recomputed by everybody from public data alone.

Each accepted contribution earns the shard reward. The validator fee of a certificate is split evenly among
its signers; they are public only once the certificate is on the chain, so the *next* certificate's payouts
carry that fee, and the contract pays the last one from the signer bitmap it keeps.
"""

from collections.abc import Iterable, Mapping

from protocol.ids import Address, Wei

Payouts = Mapping[Address, Wei]


def fee_share_down(fee_per_round: int, rounds: int, signers: int) -> int:
    """One signer's share of a certificate's fee, rounded down; the remainder stays with the poster."""
    return fee_per_round * rounds // signers if signers else 0


def next_payouts(
    previous: Payouts,
    *,
    miners: Iterable[Address],
    reward_per_shard: int,
    fee_signers: Iterable[Address],
    fee_share: int,
) -> dict[Address, Wei]:
    """Cumulative payouts after one more certificate, ascending by account.

    ``miners`` names the miner of each accepted contribution (with repetition), ``fee_signers`` those who
    signed the *previous* certificate, each of whom earns ``fee_share``.
    """
    totals: dict[Address, int] = dict(previous)
    for miner in miners:
        totals[miner] = totals.get(miner, 0) + reward_per_shard
    for signer in fee_signers:
        totals[signer] = totals.get(signer, 0) + fee_share
    return {account: Wei(totals[account]) for account in sorted(totals, key=str.lower) if totals[account]}
