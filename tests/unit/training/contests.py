"""Small contests on real data, for tests."""

from functools import cache
from typing import Any

from protocol.contest_recipe import ContestRecipe, MappingTerms, TraceTerms
from protocol.ids import Address
from protocol.spec import ModelSpec, Optimizer
from worker.training.contest_step import Job
from worker.training.data import Dataset, parse_dataset
from worker.training.ingest import bundled_dataset, from_text
from worker.training.sml import MappedModel, contest_seed

MINERS = tuple(Address(f"0x{n:040x}") for n in range(1, 9))
MLP = ModelSpec(arch="mlp", params={"inputs": 64, "hidden": 16, "layers": 1, "classes": 10})
CNN = ModelSpec(arch="cnn", params={"height": 8, "width": 8, "channels": 4, "classes": 10})
TEXT = ModelSpec(arch="transformer", params={"vocab": 64, "context": 8, "width": 16, "heads": 2, "layers": 1})
MODELS = {"mlp": MLP, "cnn": CNN, "transformer": TEXT}
MAPPINGS = {
    "mlp": MappingTerms(inputs=64, outputs=48),
    "cnn": MappingTerms(inputs=4, outputs=3),
    "transformer": MappingTerms(inputs=32, outputs=16),
}
TRACE = TraceTerms(every=2, largest=2, random=2)


@cache
def dataset(arch: str) -> Dataset:
    if arch == "transformer":
        return parse_dataset(from_text(b"the quick brown fox jumps over the lazy dog. " * 20), "text")
    return parse_dataset(bundled_dataset("digits"), "classification")


def seed_of(miner: int, parent: bytes = bytes(32)) -> bytes:
    return contest_seed(parent, 1, MINERS[miner])


def job(arch: str = "mlp", miner: int = 0, *, mapped: bool = True, **recipe: Any) -> Job:
    mapping = MAPPINGS[arch] if mapped else None
    values: dict[str, Any] = {
        "optimizer": Optimizer(kind="sgd", lr="0.1", momentum="0.9"),
        "steps": 20,
        "batch": 32,
        "trace": TRACE,
        **recipe,
    }
    return Job(
        recipe=ContestRecipe(mapping=mapping, **values),
        model=MappedModel(model=MODELS[arch], mapping=mapping),
        dataset=dataset(arch),
        seed=seed_of(miner),
    )
