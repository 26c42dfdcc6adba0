"""What a contest's spec may ask for: estimates held against real models, and each bound."""

from typing import Any

import msgspec
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from anvil.toolchain import PROJECT_ROOT
from pot.contests.demo import demo_document
from pot.contests.draft import build_contest_draft, read_contest_draft
from pot.experiment.contests import DIGITS, RECOMMENDED, job, trace_terms
from protocol.blobs import open_blob_store
from protocol.chain.contest_log import read_contest_spec
from protocol.contest_cost import CHUNK_SAMPLES, PARAMETER_NAMES, check_cost, model_cost
from protocol.contest_recipe import MappingTerms
from protocol.contest_spec import ContestSpec
from protocol.errors import InvalidInput
from protocol.ids import sha256
from protocol.policy import default_policy
from protocol.spec import ModelSpec
from tests.support.contests import contest_value
from tests.unit.worker.contest_chain import ContestChain
from worker.training.contest_model import CHUNK
from worker.training.models import ARCHITECTURES
from worker.training.sml import MappedModel

MODELS = (
    ("mlp", {"inputs": 64, "hidden": 48, "layers": 3, "classes": 10}, (64, 40)),
    ("mlp", {"inputs": 64, "hidden": 48, "layers": 0, "classes": 10}, (64, 40)),
    ("cnn", {"height": 18, "width": 14, "channels": 5, "classes": 7}, (4, 3)),
    ("transformer", {"vocab": 50, "context": 24, "width": 16, "heads": 4, "layers": 3}, (32, 16)),
)
CASES = [
    (ModelSpec(arch=arch, params=params), mapping)  # type: ignore[arg-type]
    for arch, params, (inputs, outputs) in MODELS
    for mapping in (None, MappingTerms(inputs=inputs, outputs=outputs))
]
LARGE_TEXT = {
    "arch": "transformer",
    "params": {"vocab": 256, "context": 256, "width": 256, "heads": 8, "layers": 4},
}
WIDE = {"params": {"inputs": 64, "hidden": 4096, "layers": 4, "classes": 10}}


def of(**changes: Any) -> ContestSpec:
    """The spec of a parsed document, as posters, miners and judges get it."""
    return ContestSpec.from_value(contest_value(**changes))


def test_cost__architectures__are_the_registered_ones() -> None:
    assert {name: set(names) for name, names in PARAMETER_NAMES.items()} == {
        name: set(architecture.bounds) for name, architecture in ARCHITECTURES.items()
    }
    assert CHUNK_SAMPLES == CHUNK


@pytest.mark.parametrize(("model", "mapping"), CASES)
def test_cost__parameters__are_those_of_the_real_model(
    model: ModelSpec, mapping: MappingTerms | None
) -> None:
    real = MappedModel(model=model, mapping=mapping)
    assert model_cost(model, mapping).parameters == real.layout.size


@pytest.mark.parametrize(("model", "mapping"), CASES)
def test_cost__forward_pass__is_near_what_torch_counts(
    model: ModelSpec, mapping: MappingTerms | None
) -> None:
    real, samples = MappedModel(model=model, mapping=mapping), 8
    seed = sha256(b"seed")
    matrix = real.matrix(seed)
    z = None if matrix is None else torch.tensor(matrix)
    if model.arch == "transformer":
        inputs = torch.zeros((samples, model.params["context"]), dtype=torch.int64)
    else:
        inputs = torch.zeros((samples, model.params.get("inputs", 18 * 14)))
    with FlopCounterMode(display=False) as counter:
        real.logits(real.tensors(torch.tensor(real.initial(seed))), z, inputs)
    counted = counter.get_total_flops() / 2  # a multiply-add is two of them
    cost = model_cost(model, mapping)
    said = samples * cost.forward + cost.fixed_work
    assert counted <= said <= 2.5 * counted


def test_check__what_is_shipped__is_within_all_bounds() -> None:
    read_contest_draft(PROJECT_ROOT / "examples" / "digits-contest.yaml")
    build_contest_draft(demo_document(4), PROJECT_ROOT, "demo")
    for every in (1, 3):
        made = job(DIGITS, RECOMMENDED, miner=0, seed=0, trace=trace_terms(every))
        check_cost(made.model.model, made.recipe, answers=180, entries=64)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"model": LARGE_TEXT, "recipe": {"mapping": None, "steps": 2, "batch": 1 << 20,
             "trace": {"every": 1, "largest": 1, "random": 1}}},
            "One segment of the trace takes about [0-9,]+ multiply-adds, at most 1,099,511,627,776",
        ),
        (
            {"recipe": {"steps": 2, "batch": 1 << 20, "micro_batch": 1,
             "trace": {"every": 1, "largest": 1, "random": 1}}},
            "One segment",
        ),
        (
            {"model": LARGE_TEXT | {"params": {"vocab": 64, "context": 2048, "width": 64, "heads": 64,
             "layers": 1}}, "recipe": {"mapping": None, "batch": 1, "trace": None}},
            "Computing 256 test samples needs about [0-9,]+ bytes of memory at once, at most 8,589,934,592",
        ),
        (
            {"model": LARGE_TEXT, "recipe": {"mapping": None, "micro_batch": 4096, "batch": 4096,
             "trace": None}},
            "one micro-batch of training needs",
        ),
        (
            {"model": LARGE_TEXT | {"params": {"vocab": 8192, "context": 4096, "width": 512, "heads": 8,
             "layers": 8}}, "recipe": {"mapping": None, "batch": 1, "trace": None}},
            "One test sample's forward pass takes about [0-9,]+ multiply-adds, at most 17,179,869,184",
        ),
        (
            {"model": LARGE_TEXT | {"params": {"vocab": 65_536, "context": 8, "width": 64, "heads": 1,
             "layers": 1}}, "recipe": {"mapping": {"inputs": 4096, "outputs": 64}, "trace": None}},
            "One test sample's forward pass",
        ),
        (
            {"model": WIDE, "recipe": {"steps": 4_000, "trace": {"every": 1, "largest": 1, "random": 1}}},
            "4001 checkpoints of [0-9,]+ bytes, together [0-9,]+; at most 4,294,967,296",
        ),
        (
            {"model": WIDE, "recipe": {"steps": 600, "batch": 256,
             "trace": {"every": 10, "largest": 4, "random": 16}}, "limits": {"max_entries": 64}},
            "Scoring 64 entries takes about",
        ),
        (
            {"model": WIDE, "recipe": {"steps": 1 << 20, "batch": 1 << 16, "trace": None}},
            "One miner's training takes about",
        ),
        (
            {"recipe": {"mapping": {"inputs": 65_536, "outputs": 65_535}, "trace": None}},
            "bytes of memory at once",
        ),
        ({"recipe": {"steps": 5_000, "trace": {"every": 1, "largest": 1, "random": 1}}}, "5001 checkpoints"),
        ({"model": {"params": {"inputs": 64}}}, "model.params of a mlp are exactly classes, hidden"),
    ],
)  # fmt: skip
def test_check__more_than_is_allowed__is_refused_with_both_numbers(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidInput, match=message):
        of(**changes)


def test_read__spec_on_the_chain_that_asks_for_too_much__is_refused(tmp_path: Any) -> None:
    """Nobody posted it with our commands: its document and its terms on the chain are right."""
    blobs, chain = open_blob_store(tmp_path.as_uri()), ContestChain()
    honest = of()
    value = honest.to_value()
    value["recipe"] |= {"steps": 2, "batch": 1 << 20, "micro_batch": 1}
    value["recipe"]["trace"] |= {"every": 1}
    forged = unchecked(value)
    blobs.put(forged.blob)
    with pytest.raises(InvalidInput, match="One segment of the trace"):
        read_contest_spec(blobs, chain.view(chain.post(forged)))


def unchecked(value: dict[str, Any]) -> ContestSpec:
    """A spec that no poster of ours would make."""
    return msgspec.convert(value, ContestSpec)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"recipe": {"compute": "float32"}}, "recipe.trace.every is 10 in float32"),
        (
            {
                "recipe": {"compute": "float32", "trace": {"every": 1, "largest": 1, "random": 1}},
                "checks": {"policy": sha256(b"strict").hex()},
            },
            "checks.policy is not the shipped one",
        ),
    ],
)
def test_check__trace_that_honest_noise_may_fail__is_refused(changes: dict[str, Any], name: str) -> None:
    with pytest.raises(InvalidInput, match=name):
        of(**changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"recipe": {"compute": "float32", "trace": {"every": 1, "largest": 1, "random": 1}}},
        {"recipe": {"compute": "float32", "trace": None}, "checks": {"policy": sha256(b"own").hex()}},
        {"checks": {"policy": sha256(b"own").hex()}},
        {"checks": {"policy": default_policy().hash.hex()}},
    ],
)
def test_check__trace_that_honest_noise_cannot_fail__is_taken(changes: dict[str, Any]) -> None:
    spec = of(**changes)
    assert ContestSpec.parse(spec.blob) == spec
