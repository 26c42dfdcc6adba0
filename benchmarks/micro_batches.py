"""What it costs to commit to micro-batches, and what a dispute saves: ``python -m benchmarks.micro_batches``.

One thread, digits and a sonnet; medians of processor time, which a busy machine distorts least. A shard's
time is computing, encoding, hashing and storing its gradient; what its micro-batches add is hashing and
storing. A whole replay and that of one micro-batch are timed on the same claim, false in its last
micro-batch; then what a judge does with it, reading its blobs included, when a challenge or a report names
the micro-batch and when it does not. Exit status 1 when a figure is missed: the judge of one of eight
micro-batches needs at most half of the whole's time.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from eth_account import Account

from committee.verify import Checker, Judgement
from pot.experiment.shapes import Shape, dataset_blob
from protocol import merkle
from protocol.batches import WHOLE, leaves_of
from protocol.blobs import BlobStore, open_blob_store
from protocol.contribution import Contribution
from protocol.ids import RoundNo, ShardNo, TaskId, parse_address, sha256
from protocol.policy import default_policy
from protocol.signing import KeySigner
from protocol.spec import TaskSpec
from protocol.typed_data import Domain
from worker.training.checkpoint import initial_checkpoint, load_checkpoint
from worker.training.data import DatasetCache, load_dataset
from worker.training.models import layout_of
from worker.training.parts import Opening, Vector, encode_part
from worker.training.replay import Claim, ShardSite
from worker.training.step import ShardResult, as_part, encode_gradient, shard_gradient

LEAST_SAVING: Final = 2.0
PARTS: Final = 8
MICRO: Final = 32
"""Samples of a micro-batch."""
DOMAIN: Final = Domain(chain_id=1, market=parse_address("0x" + "11" * 20))
MODELS: Final[dict[str, dict[str, Any]]] = {
    "mlp": {"arch": "mlp", "params": {"inputs": 64, "hidden": 64, "layers": 1, "classes": 10}},
    "wide mlp": {"arch": "mlp", "params": {"inputs": 64, "hidden": 1024, "layers": 2, "classes": 10}},
    "cnn": {"arch": "cnn", "params": {"height": 8, "width": 8, "channels": 16, "classes": 10}},
    "transformer": {
        "arch": "transformer",
        "params": {"vocab": 48, "context": 32, "width": 128, "heads": 4, "layers": 2},
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Seconds of processor time, each a median."""

    name: str
    parameters: int
    shard: float
    hashing: float
    storing: float
    whole: float
    one: float
    unnamed: float
    named: float

    def text(self) -> str:
        hashed, stored = 100 * self.hashing / self.shard, 100 * self.storing / self.shard
        return (
            f"{self.name:12} {self.parameters:9,} parameters  shard {1e3 * self.shard:7.1f} ms  hashing "
            f"+{1e3 * self.hashing:5.1f} ms ({hashed:.1f} %)  storing +{1e3 * self.storing:5.1f} ms "
            f"({stored:.1f} %)  replay {1e3 * self.whole:7.1f} ms, of one micro-batch "
            f"{1e3 * self.one:6.1f} ms: {self.whole / self.one:.1f} times less; a judge "
            f"{1e3 * self.unnamed:7.1f} ms, told where {1e3 * self.named:6.1f} ms: "
            f"{self.unnamed / self.named:.1f} times less"
        )


def spec_of(model: dict[str, Any], data: bytes) -> TaskSpec:
    text = model["arch"] == "transformer"
    return TaskSpec.from_value(
        {
            "version": 1,
            "kind": "pooled",
            "title": "micro-batches",
            "model": model,
            "dataset": {
                "name": "benchmark",
                "kind": "text" if text else "classification",
                "sha256": sha256(data).hex(),
            },
            "recipe": {
                "optimizer": {"kind": "sgd", "lr": "0.1"},
                "rounds": 1,
                "shards": 1,
                "global_batch": PARTS * MICRO,
                "micro_batch": MICRO,
            },
            "verification": {"sample_ppm": 0},
            "money": {
                "reward_per_shard": "1",
                "fee_per_round": "0",
                "miner_stake": "1",
                "slash_per_fault": "1",
            },
            "limits": {"task_life_s": 100},
        }
    )


def median_s(job: Callable[[], object], repeats: int) -> float:
    job()
    times = []
    for _ in range(repeats):
        begin = time.process_time()
        job()
        times.append(time.process_time() - begin)
    return statistics.median(times)


def measure(name: str, folder: Path, repeats: int) -> Row:
    model = MODELS[name]
    data = dataset_blob(Shape(arch=model["arch"], compute="float64", micro_batch=MICRO))
    spec = spec_of(model, data)
    site = ShardSite(
        spec=spec,
        checkpoint=load_checkpoint(spec, initial_checkpoint(spec)),
        dataset=load_dataset(data, spec.dataset),
        round=1,
        shard=0,
        policy=default_policy(),
    )

    def compute() -> ShardResult:
        return shard_gradient(spec, site.checkpoint, site.dataset, 1, 0)

    result = compute()
    micro_gradient = torch.tensor(result.gradient)

    def commit() -> None:
        parts = [as_part(micro_gradient, PARTS * MICRO + i) for i in range(PARTS)]
        names = [sha256(encode_part(spec, part)) for part in parts]
        merkle.root(leaves_of(names), merkle.BATCH_LEAF)

    blobs = [encode_part(spec, part) for part in result.parts]

    def store_parts() -> None:
        there = fresh(folder)
        for blob in blobs:
            there.put(blob)

    def store() -> None:
        fresh(folder).put(encode_gradient(spec, result.gradient))

    rounding = PARTS * median_s(lambda: as_part(micro_gradient, PARTS * MICRO), repeats)
    naming = median_s(lambda: [sha256(blob) for blob in blobs], repeats)  # storing names a blob again
    claim = false_claim(site, result)
    last = PARTS - 1
    assert claim.spot_fault(last)
    assert claim.replay().batch == last
    judge = judge_of(fresh(folder), site, data, claim)
    assert (judge(last).found[0][1], judge(last).executed) == (last, 0)
    assert (judge(WHOLE).found[0][1], judge(WHOLE).executed) == (last, 1)
    return Row(
        name=name,
        parameters=layout_of(spec.model).size,
        shard=median_s(compute, repeats) - rounding + median_s(store, repeats),
        hashing=median_s(commit, repeats),
        storing=median_s(store_parts, repeats) - naming,
        whole=median_s(claim.replay, repeats),
        one=median_s(lambda: claim.spot_fault(last), repeats),
        unnamed=median_s(lambda: judge(WHOLE), repeats),
        named=median_s(lambda: judge(last), repeats),
    )


def judge_of(store: BlobStore, site: ShardSite, data: bytes, claim: Claim) -> Callable[[int], Judgement]:
    """What a member of a court, or of the committee, does with a contribution that is said to be wrong in a
    micro-batch; it has read the dataset before."""
    spec, names, key = site.spec, claim.opening.names, Account.from_key(b"k" * 32)
    for blob in (data, claim.gradient, *(claim.opening.fetch(name) for name in names)):
        store.put(blob)
    signed = Contribution(
        task_id=TaskId(1),
        round=RoundNo(1),
        shard=ShardNo(0),
        miner=parse_address(key.address),
        spec_hash=spec.hash,
        parent_model=store.put(initial_checkpoint(spec)),
        gradient=sha256(claim.gradient),
        batches=names,
        samples=spec.recipe.samples_per_shard,
        loss_micros=1,
    ).sign(DOMAIN, key)
    checker = Checker(
        domain=DOMAIN,
        blobs=store,
        stake_of=lambda miner: 1,
        slashable_of=lambda miner: 1,
        signer=KeySigner(bytes(key.key)),
        datasets=DatasetCache(),
    )
    return lambda batch: checker.reexecute(spec, signed, batch)


def fresh(folder: Path) -> BlobStore:
    """A store that holds nothing yet: what is stored already costs nothing."""
    return open_blob_store(Path(tempfile.mkdtemp(dir=folder)).as_uri())


def false_claim(site: ShardSite, result: ShardResult) -> Claim:
    """Honest work but for the last micro-batch, which is doubled."""
    last = result.parts[-1]
    parts: tuple[Vector, ...] = (*result.parts[:-1], last + last)
    stored = {sha256(blob): blob for blob in (encode_part(site.spec, part) for part in parts)}
    return Claim(
        site=site,
        gradient=encode_gradient(site.spec, result.gradient + last),
        opening=Opening(names=tuple(stored), fetch=stored.__getitem__),
    )


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--repeats", type=int, default=15)
    repeats: int = parser.parse_args(arguments).repeats
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        rows = [measure(name, Path(folder), repeats) for name in MODELS]
    print(f"A shard of {PARTS} micro-batches of {MICRO} samples in float64, codec int16, {repeats} repeats:")
    for row in rows:
        print(row.text())
    missed = [
        row.name
        for row in rows
        if row.whole < LEAST_SAVING * row.one or row.unnamed < LEAST_SAVING * row.named
    ]
    if missed:
        print(f"missed: {', '.join(missed)} save less than {LEAST_SAVING} times", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
