"""From named tensors and a batch to a loss: the arithmetic of each registered architecture.

Plain matrix products, convolutions and elementwise functions in whatever dtype the tensors have; no dropout,
no fused attention, no max-pooling (a near-tie would send the whole gradient another way on another machine).
"""

import math
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

from protocol.spec import ModelSpec

Params: TypeAlias = Mapping[str, int]
Tensors: TypeAlias = Mapping[str, Tensor]


def logits(model: ModelSpec, tensors: Tensors, inputs: Tensor) -> Tensor:
    """Scores [n, classes] of features [n, features], or [n, context, vocab] of tokens int64 [n, context]."""
    return _FORWARD[model.arch](model.params, tensors, inputs)


def loss_sum(model: ModelSpec, tensors: Tensors, inputs: Tensor, targets: Tensor) -> Tensor:
    """``scores_loss`` of a model's own scores."""
    return scores_loss(logits(model, tensors, inputs), targets)


def scores_loss(scores: Tensor, targets: Tensor) -> Tensor:
    """The cross-entropy in nats, summed over all targets; a scalar."""
    return functional.cross_entropy(
        scores.reshape(-1, scores.shape[-1]), targets.reshape(-1), reduction="sum"
    )


def _mlp(params: Params, t: Tensors, x: Tensor) -> Tensor:
    for i in range(params["layers"]):
        x = torch.relu(functional.linear(x, t[f"hidden{i}.weight"], t[f"hidden{i}.bias"]))
    return functional.linear(x, t["output.weight"], t["output.bias"])


def _cnn(params: Params, t: Tensors, x: Tensor) -> Tensor:
    # One channel, unless a mapping in front made several of each patch.
    x = x.reshape(-1, t["conv0.weight"].shape[1], params["height"], params["width"])
    for i in range(2):
        x = torch.relu(functional.conv2d(x, t[f"conv{i}.weight"], t[f"conv{i}.bias"], padding=1))
        x = functional.avg_pool2d(x, 2)
    return functional.linear(x.flatten(1), t["output.weight"], t["output.bias"])


def _transformer(params: Params, t: Tensors, tokens: Tensor) -> Tensor:
    length = tokens.shape[1]
    x = functional.embedding(tokens, t["token"]) + t["position"][:length]
    future = torch.ones(length, length, dtype=torch.bool, device=tokens.device).triu(1)
    for i in range(params["layers"]):
        x = x + _attention(params["heads"], t, f"block{i}", _norm(t, f"block{i}.attention_norm", x), future)
        y = _norm(t, f"block{i}.feed_norm", x)
        y = functional.gelu(functional.linear(y, t[f"block{i}.expand.weight"], t[f"block{i}.expand.bias"]))
        x = x + functional.linear(y, t[f"block{i}.contract.weight"], t[f"block{i}.contract.bias"])
    return functional.linear(_norm(t, "final_norm", x), t["output.weight"], t["output.bias"])


def _attention(heads: int, t: Tensors, block: str, x: Tensor, future: Tensor) -> Tensor:
    n, length, width = x.shape
    qkv = functional.linear(x, t[f"{block}.qkv.weight"]).reshape(n, length, 3, heads, width // heads)
    query, key, value = qkv.permute(2, 0, 3, 1, 4)  # each [n, heads, length, width / heads]
    scores = query @ key.transpose(-2, -1) / math.sqrt(width // heads)
    mixed = torch.softmax(scores.masked_fill(future, -math.inf), dim=-1) @ value
    mixed = mixed.transpose(1, 2).reshape(n, length, width)
    return functional.linear(mixed, t[f"{block}.project.weight"], t[f"{block}.project.bias"])


def _norm(t: Tensors, name: str, x: Tensor) -> Tensor:
    return functional.layer_norm(x, x.shape[-1:], t[f"{name}.weight"], t[f"{name}.bias"])


_FORWARD: Final[Mapping[str, Callable[[Params, Tensors, Tensor], Tensor]]] = {
    "mlp": _mlp,
    "cnn": _cnn,
    "transformer": _transformer,
}
