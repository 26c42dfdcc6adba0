"""Write the shared vectors that pytest and forge both read: ``python -m tests.vectors.generate``.

They are regenerated on purpose only; a test fails when the code leads to other bytes than the committed ones.
"""

import json
from pathlib import Path
from typing import Any

from eth_account import Account

from protocol import merkle
from protocol.batches import batch_proof, batches_root, leaves_of
from protocol.canary_mark import CANARY_LEAF, canary_root, mark_of, marked, tail_of
from protocol.certificate import CERTIFICATE_TYPE, RoundCertificate
from protocol.contest import NO_SCORE, SCORE_TYPE, Commitment, ScoreCertificate
from protocol.contribution import CONTRIBUTION_TYPE, Contribution
from protocol.draw import MAX_STAKE, Candidate, court, draw_seed, sample
from protocol.ids import EpochNo, RoundNo, ShardNo, TaskId, parse_address, sha256
from protocol.members import Members
from protocol.pbft_messages import Instance, Phase, value_digest
from protocol.sampling import SamplePlan, quota, seed_commitment
from protocol.signing import KeySigner, sign, to_compact
from protocol.typed_data import Domain
from protocol.verdict import VERDICT_TYPE, Verdict

FOLDER = Path(__file__).parent
SIZES = (1, 2, 3, 5, 8, 1000)
DRAWS = ((7, 4, 0), (16, 7, 0), (64, 43, 0), (16, 7, 1), (7, 7, 1), (5, 7, 1), (64, 64, 2))
"""Members of the snapshot, size of the panel, number of the dispute (0: the task's committee)."""


def hexed(value: Any) -> Any:
    return "0x" + value.hex() if isinstance(value, bytes) else value


def certificate_vector() -> dict[str, Any]:
    domain = Domain(chain_id=31337, market=parse_address("0x" + "11" * 20))
    keys = sorted(
        (Account.from_key(sha256(bytes([i]))) for i in range(4)), key=lambda key: int(key.address, 16)
    )
    made = RoundCertificate(
        task_id=TaskId(7),
        first_round=RoundNo(3),
        last_round=RoundNo(6),
        epoch=EpochNo(2),
        spec_hash=sha256(b"spec"),
        parent_model=sha256(b"parent"),
        model=sha256(b"model"),
        contributions_root=sha256(b"contributions"),
        faults_root=bytes(32),
        payouts_root=sha256(b"payouts"),
        paid_total=123456789012345678901234567890,
        segment=sha256(b"segment"),
    )
    digest = made.digest(domain)
    return {
        "chain_id": domain.chain_id,
        "verifying_contract": domain.market,
        "domain_separator": hexed(domain.separator),
        "certificate": {
            name: str(value) if isinstance(value, int) else hexed(bytes(value))
            for name, value in made.typed_values().items()
        },
        "struct_hash": hexed(CERTIFICATE_TYPE.hash_struct(made.typed_values())),
        "digest": hexed(bytes(digest)),
        "members": [key.address for key in keys],
        "signers": 0b1101,
        "signatures": hexed(b"".join(to_compact(sign(digest, keys[index])) for index in (0, 2, 3))),
    }


def verdict_vector() -> dict[str, Any]:
    domain = Domain(chain_id=31337, market=parse_address("0x" + "11" * 20))
    # A dispute that was never opened has 0 as its first certificate, which is what the contract's view says.
    made = Verdict(task_id=TaskId(7), certificate_index=0, dispute=2, upheld=0b101)
    return {
        "chain_id": domain.chain_id,
        "verifying_contract": domain.market,
        "type": VERDICT_TYPE.encoded,
        "task_id": made.task_id,
        "dispute": made.dispute,
        "upheld": made.upheld,
        "digest": hexed(bytes(made.digest(domain))),
    }


def contest_vector() -> dict[str, Any]:
    domain = Domain(chain_id=31337, market=parse_address("0x" + "11" * 20))
    commitment = Commitment(
        contest_id=9,
        miner=parse_address("0x" + "22" * 20),
        model=sha256(b"model"),
        trace=sha256(b"trace"),
        salt=sha256(b"salt"),
    )
    scores = ScoreCertificate(
        contest_id=9,
        instance=1,
        epoch=EpochNo(3),
        spec_hash=sha256(b"spec"),
        test_set=sha256(b"test set"),
        revealed=0b1011,
        frauds=0b1000,
        bad_test_set=False,
        scores=(150, 200, NO_SCORE, NO_SCORE),
        transactions=sha256(b"transactions"),
        record=sha256(b"record"),
    )
    return {
        "chain_id": domain.chain_id,
        "verifying_contract": domain.market,
        "contest_id": commitment.contest_id,
        "miner": commitment.miner,
        "model": hexed(bytes(commitment.model)),
        "trace": hexed(commitment.trace),
        "salt": hexed(bytes(commitment.salt)),
        "commitment_digest": hexed(bytes(commitment.digest(domain))),
        "score_type": SCORE_TYPE.encoded,
        "instance": scores.instance,
        "epoch": scores.epoch,
        "spec_hash": hexed(bytes(scores.spec_hash)),
        "test_set": hexed(bytes(scores.test_set)),
        "revealed": scores.revealed,
        "frauds": scores.frauds,
        "bad_test_set": int(scores.bad_test_set),
        "scores": list(scores.scores),
        "scores_hash": hexed(scores.scores_hash),
        "transactions": hexed(scores.transactions),
        "record": hexed(bytes(scores.record)),
        "score_digest": hexed(bytes(scores.digest(domain))),
    }


def contribution_vector() -> dict[str, Any]:
    """What a miner signs, and how one of its micro-batches is shown."""
    domain = Domain(chain_id=31337, market=parse_address("0x" + "11" * 20))
    key = Account.from_key(sha256(b"miner"))
    names = tuple(sha256(f"micro-batch {i}".encode()) for i in range(5))
    made = Contribution(
        task_id=TaskId(7),
        round=RoundNo(3),
        shard=ShardNo(2),
        miner=parse_address(key.address),
        spec_hash=sha256(b"spec"),
        parent_model=sha256(b"parent"),
        gradient=sha256(b"gradient"),
        batches=names,
        samples=160,
        loss_micros=2_302_585,
    )
    digest = made.digest(domain)
    return {
        "chain_id": domain.chain_id,
        "verifying_contract": domain.market,
        "type": CONTRIBUTION_TYPE.encoded,
        "contribution": {
            name: value if isinstance(value, int | str) else hexed(bytes(value))
            for name, value in made.typed_values().items()
        },
        "digest": hexed(bytes(digest)),
        "signature": hexed(to_compact(sign(digest, key))),
        "names": [hexed(bytes(name)) for name in names],
        "root": hexed(batches_root(names)),
        "index": 3,
        "leaf": hexed(merkle.leaf_hash(leaves_of(names)[3], merkle.BATCH_LEAF)),
        "proof": [hexed(node) for node in batch_proof(names, 3)],
    }


SAMPLES = (
    (10, 4, 500_000), (1, 1, 1_000_000), (75, 4, 23_034), (100, 64, 31_250), (20, 1, 130_000), (3, 5, 90_000)
)  # fmt: skip
"""Rounds, shards and share. The fourth task is larger than one window; of the last two every shard is looked
up, and their samples are 2.6 and 1.35 shards on average."""
QUOTAS = (0, 1, 499_999, 500_000, 999_999, 1_000_000, 6_910_200, 4_096_000_000)
"""Millionths of a shard that a window's share is."""


def sample_vector(rounds: int, shards: int, share_ppm: int) -> dict[str, Any]:
    seed = KeySigner(sha256(b"member")).sign(sha256(f"seed {rounds} {shards}".encode()))
    plan = SamplePlan(seed=seed, rounds=rounds, shards=shards, share_ppm=share_ppm)
    step = max(1, rounds * shards // 24)
    places = [(place // shards + 1, place % shards) for place in range(0, rounds * shards, step)]
    return {
        "seed": hexed(seed),
        "commitment": hexed(bytes(seed_commitment(seed))),
        "rounds": rounds,
        "shards": shards,
        "share_ppm": share_ppm,
        "looked": [10_000 * round_ + shard for round_, shard in places],
        "held": [10_000 * round_ + shard for round_, shard in places if plan.holds(round_, shard)],
        "quotas": [
            {"wanted_ppm": wanted, "window": window, "places": quota(seed, wanted, window)}
            for wanted in QUOTAS
            for window in (0, 1, 3)
        ],
    }


def gradient_blob(code_bytes: int, codes: int) -> bytes:
    """Safetensors by hand: this package needs no torch. Codes of all sizes, then the exponents of their
    blocks."""
    kind = {1: "I8", 2: "I16"}[code_bytes]
    half = 1 << (8 * code_bytes - 2)
    values = [(i * 7919) % (2 * half) - half for i in range(codes)]
    body = b"".join(value.to_bytes(code_bytes, "little", signed=True) for value in values)
    exponents = bytes(2 * (codes // 64 + 1))
    header = json.dumps(
        {
            "codes": {"dtype": kind, "shape": [codes], "data_offsets": [0, len(body)]},
            "exponents": {
                "dtype": "I16",
                "shape": [codes // 64 + 1],
                "data_offsets": [len(body), len(body) + len(exponents)],
            },
        }
    ).encode()
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header + body + exponents


def canary_vector(code_bytes: int, codes: int) -> dict[str, Any]:
    domain = Domain(chain_id=31337, market=parse_address("0x" + "11" * 20))
    key = KeySigner(sha256(b"member"))
    salt, spec_hash = sha256(b"salt"), sha256(b"spec")
    canaries = sorted(
        ((parse_address("0x" + sha256(bytes([i]))[:20].hex()), sha256(salt + bytes([i]))) for i in range(3)),
        key=lambda canary: int(canary[0], 16),
    )
    mark = mark_of(salt, spec_hash, 5, 2)
    blob = marked(gradient_blob(code_bytes, codes), mark, 8 * code_bytes - 1)
    tail = tail_of(blob)
    members = Members.of(
        (key.address, *(parse_address("0x" + "ff" * 19 + last) for last in ("fd", "fe", "ff")))
    )
    value = sha256(b"value")
    instance = Instance(domain=domain.separator, task=7, members=members)
    return {
        "salt": hexed(bytes(salt)),
        "spec_hash": hexed(bytes(spec_hash)),
        "round": 5,
        "shard": 2,
        "mark": hexed(mark.to_bytes(32, "big")),
        "miner": canaries[0][0],
        "miner_salt": hexed(bytes(canaries[0][1])),
        "root": hexed(canary_root(list(canaries))),
        "proof": [hexed(node) for node in merkle.proof(canaries, CANARY_LEAF, 0)],
        "gradient": hexed(bytes(sha256(blob))),
        "state": hexed(tail.state),
        "skipped": tail.skipped,
        "data": hexed(tail.data),
        "codes_end": tail.codes_end,
        "code_bytes": tail.code_bytes,
        "domain_separator": hexed(domain.separator),
        "member": key.address,
        "value_digest": hexed(value_digest(value)),
        "prepare_digest": hexed(instance.signing_digest(Phase.PREPARE, 3, 4, value_digest(value), 0)),
    }


def merkle_vector(size: int) -> dict[str, Any]:
    payouts = [
        [parse_address("0x" + sha256(f"account {i}".encode())[:20].hex()), 10**18 * (i + 1)]
        for i in range(size)
    ]
    faults = [
        [i, i % 7, parse_address("0x" + sha256(f"miner {i}".encode())[:20].hex()), sha256(f"g {i}".encode())]
        for i in range(size)
    ]
    last = size - 1
    return {
        "size": size,
        "payouts": {
            "root": hexed(merkle.root(payouts, merkle.PAYOUT_LEAF)),
            "account": payouts[last][0],
            "cumulative": str(payouts[last][1]),
            "leaf": hexed(merkle.leaf_hash(payouts[last], merkle.PAYOUT_LEAF)),
            "proof": [hexed(node) for node in merkle.proof(payouts, merkle.PAYOUT_LEAF, last)],
        },
        "faults": {
            "root": hexed(merkle.root(faults, merkle.FAULT_LEAF)),
            "round": faults[last][0],
            "shard": faults[last][1],
            "miner": faults[last][2],
            "gradient": hexed(faults[last][3]),
            "leaf": hexed(merkle.leaf_hash(faults[last], merkle.FAULT_LEAF)),
            "proof": [hexed(node) for node in merkle.proof(faults, merkle.FAULT_LEAF, last)],
        },
    }


def snapshot(size: int) -> list[Candidate]:
    """Members of very different weight, ascending."""
    accounts = [parse_address("0x" + sha256(f"validator {i}".encode())[:20].hex()) for i in range(size)]
    stakes = [10**22 * (1 + i * i % 17) + i for i in range(size)]
    stakes[size // 2] = MAX_STAKE // 1000
    found = [Candidate(account=account, stake=stake) for account, stake in zip(accounts, stakes, strict=True)]
    return sorted(found, key=lambda candidate: int(candidate.account, 16))


def draw_vector(pool: int, size: int, dispute: int) -> dict[str, Any]:
    """The committee of a task (dispute 0), or the court of a dispute about the committee of 4 drawn first."""
    candidates, source, task_id = snapshot(pool), sha256(f"block {pool} {size}".encode()), TaskId(pool + size)
    committee = sample(candidates, draw_seed(source, task_id), 4)
    seed = draw_seed(source, task_id, dispute)
    drawn = court(candidates, committee, seed, size) if dispute else sample(candidates, seed, size)
    return {
        "accounts": [candidate.account for candidate in candidates],
        "stakes": [str(candidate.stake) for candidate in candidates],
        "source": hexed(source),
        "task_id": task_id,
        "dispute": dispute,
        "committee": list(committee),
        "size": size,
        "drawn": list(drawn),
    }


def documents() -> dict[str, Any]:
    """File name -> content."""
    return {
        "certificate.json": certificate_vector(),
        "contribution.json": contribution_vector(),
        "verdict.json": verdict_vector(),
        "contest.json": contest_vector(),
        "merkle.json": {"trees": [merkle_vector(size) for size in SIZES]},
        "canary.json": {
            "canaries": [canary_vector(1, 200), canary_vector(2, 1_000)],
            "samples": [sample_vector(*shape) for shape in SAMPLES],
        },
        "draw.json": {"draws": [draw_vector(*shape) for shape in DRAWS]},
    }


def main() -> None:
    for name, content in documents().items():
        (FOLDER / name).write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
