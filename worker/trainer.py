"""The port between a miner and the arithmetic of ``worker.training``, and its honest implementation."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from protocol.errors import ConfigurationError
from protocol.ids import RoundNo, ShardNo
from protocol.spec import TaskSpec
from worker.training.checkpoint import Checkpoint
from worker.training.data import Dataset
from worker.training.parts import encode_part

if TYPE_CHECKING:
    from worker.training.step import ShardResult


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardWork:
    """One shard to compute, on a model and data whose hashes were checked."""

    spec: TaskSpec
    round: RoundNo
    shard: ShardNo
    checkpoint: Checkpoint
    dataset: Dataset


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardAnswer:
    """The encoded gradient, that of each micro-batch, the samples it covers, and their mean loss in 1e-6
    nats."""

    gradient: bytes
    batches: tuple[bytes, ...]
    samples: int
    loss_micros: int


class Trainer(Protocol):
    """Whoever can answer a ShardWork: the honest trainer, or a wrong-doer wrapped around it."""

    def train(self, work: ShardWork) -> ShardAnswer: ...


class HonestTrainer:
    """Computes what was asked for. ``device`` is a torch device name."""

    def __init__(self, threads: int, device: str) -> None:
        self.threads = threads
        self.device = device

    def compute(self, work: ShardWork) -> "ShardResult":
        """The gradient before it is encoded. Raises InvalidRecipe, InvalidDataset, Diverged."""
        from worker.training.step import shard_gradient

        return shard_gradient(
            work.spec,
            work.checkpoint,
            work.dataset,
            work.round,
            work.shard,
            threads=self.threads,
            device=self.device,
        )

    def train(self, work: ShardWork) -> ShardAnswer:
        """Raises InvalidRecipe, InvalidDataset, Diverged."""
        return answer(work.spec, self.compute(work))


def answer(spec: TaskSpec, result: "ShardResult") -> ShardAnswer:
    """The answer that a result makes in the spec's codec."""
    from worker.training.step import encode_gradient

    return ShardAnswer(
        gradient=encode_gradient(spec, result.gradient),
        batches=tuple(encode_part(spec, part) for part in result.parts),
        samples=result.samples,
        loss_micros=result.loss_micros,
    )


def resolve_device(wanted: str) -> str:
    """``auto`` -> ``cuda`` where there is one, else ``cpu``. Raises ConfigurationError for a device that is
    not here."""
    import torch

    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.zeros(1, device=wanted)
    except (RuntimeError, AssertionError) as error:
        raise ConfigurationError(f"torch cannot compute on device {wanted!r}: {str(error)[:200]}") from error
    return wanted


def warm_up(threads: int, device: str) -> None:
    """Pay torch's start-up before the first job: import, thread pool, and the first kernels on ``device``."""
    import torch

    import worker.training.step

    assert worker.training.step is not None
    torch.set_num_threads(threads)
    leaf = torch.ones(8, 8, device=device, requires_grad=True)
    (leaf @ leaf).sum().backward()  # type: ignore[no-untyped-call]
