import hashlib
from typing import Any, cast

import numpy as np
import pytest
import torch

from protocol.spec import ModelSpec
from tests.unit.training.specs import CNN, MLP, TRANSFORMER
from worker.training.errors import InvalidModel
from worker.training.forward import logits
from worker.training.models import ARCHITECTURES, initial_parameters, layout_of

MODELS = {"mlp": MLP, "cnn": CNN, "transformer": TRANSFORMER}
# sha256 of the first parameters with seed 7: what every machine must start from.
HASHES = {
    "mlp": "4435e48e1dfa9ddb729dd2c3dacbfb91",
    "cnn": "433d91b87ce5923c8ca1911428313d60",
    "transformer": "a6b44fd7248b5ae75685167c16e516e1",
}


def model(arch: str, **changes: int) -> ModelSpec:
    params = cast("dict[str, int]", MODELS[arch]["params"])
    return ModelSpec(arch=cast("Any", arch), params={**params, **changes})


def tensors(spec: ModelSpec) -> dict[str, torch.Tensor]:
    named = layout_of(spec).named(initial_parameters(spec, 7))
    return {name: torch.tensor(array, dtype=torch.float64) for name, array in named.items()}


@pytest.mark.parametrize("arch", MODELS)
def test_initial_parameters__known_seed__are_the_committed_bits(arch: str) -> None:
    parameters = initial_parameters(model(arch), 7)
    assert parameters.dtype == np.float32
    assert hashlib.sha256(parameters.tobytes()).hexdigest()[:32] == HASHES[arch]


@pytest.mark.parametrize("arch", MODELS)
def test_initial_parameters__another_seed__are_others(arch: str) -> None:
    assert not np.array_equal(initial_parameters(model(arch), 7), initial_parameters(model(arch), 8))


@pytest.mark.parametrize("arch", MODELS)
def test_layout__flat_and_named__are_inverse(arch: str) -> None:
    layout = layout_of(model(arch))
    flat = initial_parameters(model(arch), 7)
    assert np.array_equal(layout.flat(layout.named(flat)), flat)
    assert layout.size == len(flat)


def test_mlp__digits_sized__equals_its_formula() -> None:
    t = tensors(model("mlp"))
    x = torch.linspace(-1, 1, 128, dtype=torch.float64).reshape(2, 64)
    hidden = torch.relu(x @ t["hidden0.weight"].T + t["hidden0.bias"])
    expected = hidden @ t["output.weight"].T + t["output.bias"]
    torch.testing.assert_close(logits(model("mlp"), t, x), expected)


def test_mlp__no_hidden_layers__is_a_linear_map() -> None:
    assert [p.name for p in layout_of(model("mlp", layers=0)).parameters] == ["output.weight", "output.bias"]


@pytest.mark.parametrize(("height", "width"), [(8, 8), (5, 9)])
def test_cnn__any_image_size__gives_one_score_per_class(height: int, width: int) -> None:
    spec = model("cnn", height=height, width=width)
    x = torch.ones(3, height * width, dtype=torch.float64)
    assert logits(spec, tensors(spec), x).shape == (3, 10)


def test_transformer__a_later_character_changes__earlier_scores_stay() -> None:
    spec = model("transformer")
    tokens = torch.arange(16).reshape(1, 16)
    changed = tokens.clone()
    changed[0, 10] = 40
    a, b = logits(spec, tensors(spec), tokens), logits(spec, tensors(spec), changed)
    assert a.shape == (1, 16, 48)
    assert torch.equal(a[0, :10], b[0, :10])
    assert not torch.allclose(a[0, 10:], b[0, 10:])


def test_transformer__attention__equals_torch() -> None:
    from worker.training.forward import _attention

    spec = model("transformer")
    t = tensors(spec)
    x = torch.linspace(-1, 1, 5 * 32, dtype=torch.float64).reshape(1, 5, 32).sin()
    future = torch.ones(5, 5, dtype=torch.bool).triu(1)
    qkv = x @ t["block0.qkv.weight"].T
    query, key, value = (part.reshape(1, 5, 2, 16).transpose(1, 2) for part in qkv.chunk(3, dim=-1))
    mixed = torch.nn.functional.scaled_dot_product_attention(query, key, value, is_causal=True)
    expected = mixed.transpose(1, 2).reshape(1, 5, 32) @ t["block0.project.weight"].T
    torch.testing.assert_close(_attention(2, t, "block0", x, future), expected)


BAD = {
    "unknown architecture": (ModelSpec(arch=cast("Any", "diffusion"), params={}), "unknown architecture"),
    "a parameter is missing": (ModelSpec(arch="mlp", params={"inputs": 3}), "needs exactly"),
    "a parameter too many": (model("mlp", dropout=1), "needs exactly"),
    "no classes": (model("mlp", classes=1), "classes is 1"),
    "a billion layers": (model("transformer", layers=10**9), "layers is 1000000000"),
    "negative width": (model("mlp", hidden=-5), "hidden is -5"),
    "all bounds at their end": (model("mlp", inputs=65_536, hidden=16_384, layers=16), "parameters, at most"),
    "heads that do not divide": (model("transformer", heads=5), "not a multiple of heads"),
}


@pytest.mark.parametrize("name", BAD)
def test_layout_of__bad_model__is_refused_with_a_sentence(name: str) -> None:
    spec, sentence = BAD[name]
    with pytest.raises(InvalidModel, match=sentence):
        layout_of(spec)


def test_architectures__every_one__is_tested_here() -> None:
    assert ARCHITECTURES.keys() == MODELS.keys()
