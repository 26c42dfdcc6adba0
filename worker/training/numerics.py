"""How torch computes while a shard is computed: threads and kernels, set for a block of code and put back
after."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import torch

_PROCESS: Final = threading.RLock()


@contextmanager
def numerics(threads: int, device: str) -> Iterator[torch.device]:
    """Compute with ``threads`` CPU threads; on CUDA without TF32 and with deterministic kernels.

    torch keeps these settings per process, so blocks of one process run one after the other.
    """
    where = torch.device(device)
    with _PROCESS:
        before = torch.get_num_threads()
        matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
        flags = (matmul.allow_tf32, cudnn.allow_tf32, cudnn.deterministic, cudnn.benchmark)
        try:
            if threads != before:
                torch.set_num_threads(threads)
            if where.type == "cuda":
                matmul.allow_tf32 = cudnn.allow_tf32 = cudnn.benchmark = False
                cudnn.deterministic = True
            yield where
        finally:
            if threads != before:
                torch.set_num_threads(before)
            if where.type == "cuda":
                matmul.allow_tf32, cudnn.allow_tf32, cudnn.deterministic, cudnn.benchmark = flags
