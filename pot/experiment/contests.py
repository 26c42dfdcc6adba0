"""The contests that experiments run: a small network on real data, behind a Z of any size."""

from dataclasses import dataclass
from functools import cache
from typing import Final

from protocol.contest_recipe import ContestRecipe, MappingTerms, TraceTerms
from protocol.ids import Address, sha256
from protocol.spec import ModelSpec, Optimizer
from worker.training.contest_step import Job
from worker.training.data import Classification, parse_dataset
from worker.training.ingest import bundled_dataset
from worker.training.sml import MappedModel, contest_seed


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One data set with the training that fits most of it."""

    data: str
    features: int
    classes: int
    hidden: int
    steps: int
    outputs: tuple[int, ...]


DIGITS: Final = Setting(
    data="digits", features=64, classes=10, hidden=64, steps=1_500, outputs=(8, 16, 24, 32, 40, 48, 56)
)
CANCER: Final = Setting(
    data="breast_cancer", features=30, classes=2, hidden=32, steps=400, outputs=(4, 8, 12, 16, 20, 24, 28)
)
RECOMMENDED: Final = 48
"""Outputs of Z for digits' 64 features."""
MEMBERS: Final = 4
LARGEST: Final = 8


def trace_terms(every: int) -> TraceTerms:
    """A trace of digits' training of which ``MEMBERS`` replicas together replay at most a quarter."""
    replays = -(-DIGITS.steps // every) // (4 * MEMBERS)
    return TraceTerms(every=every, largest=LARGEST, random=replays - LARGEST)


@cache
def dataset(name: str) -> Classification:
    found = parse_dataset(bundled_dataset(name), "classification")
    assert isinstance(found, Classification)
    return found


def miner_seed(number: int, seed: int) -> bytes:
    """The contest seed of the experiment's miner ``number``."""
    parent = sha256(b"experiment/" + str(seed).encode())
    return contest_seed(parent, 1, Address(f"0x{number + 1:040x}"))


def job(
    setting: Setting, outputs: int | None, *, miner: int, seed: int, trace: TraceTerms | None = None
) -> Job:
    """The training of one miner; ``outputs`` None leaves Z out."""
    mapping = MappingTerms(inputs=setting.features, outputs=outputs) if outputs else None
    params = {
        "inputs": setting.features, "hidden": setting.hidden, "layers": 1, "classes": setting.classes,
    }  # fmt: skip
    return Job(
        recipe=ContestRecipe(
            optimizer=Optimizer(kind="sgd", lr="0.1", momentum="0.9"),
            steps=setting.steps,
            batch=32,
            mapping=mapping,
            trace=trace,
        ),
        model=MappedModel(model=ModelSpec(arch="mlp", params=params), mapping=mapping),
        dataset=dataset(setting.data),
        seed=miner_seed(miner, seed),
    )
