"""A task as its poster writes it: a YAML draft in, a checked spec, its dataset and its genesis model out.

A draft is a spec in which money may be whole tokens ("1.5 POT"), durations and shares are as people write
them, the dataset is named by where it lies, and what the dataset implies (widths, classes, its hash) may be
left out.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import yaml

from pot.amounts import parse_amount, parse_duration_s, parse_share_ppm, plain_decimal
from protocol.blobs import BlobMissing, BlobStore
from protocol.errors import InvalidInput
from protocol.ids import Sha256, parse_sha256, sha256
from protocol.policy import MAX_POLICY_BYTES, NotCalibrated, Policy, default_policy, load_policy
from protocol.spec import MAX_SPEC_BYTES, DatasetSpec, TaskSpec
from worker.training.checkpoint import initial_checkpoint
from worker.training.data import MAX_DATASET_BYTES, Dataset, Text, load_dataset, parse_dataset
from worker.training.errors import InvalidDataset
from worker.training.ingest import bundled_dataset, from_file
from worker.training.models import ARCHITECTURES, layout_of
from worker.training.tolerance import limits_of

_MONEY: Final = ("reward_per_shard", "fee_per_round", "miner_stake", "slash_per_fault")
_LENGTHS: Final = ("radius", "smoothing", "momentum")
_DECIMALS: Final = ("lr", "momentum", "beta1", "beta2", "eps", "weight_decay")
# What people write -> the spec's field and unit.
_DURATIONS: Final = {
    "task_life": "task_life_s",
    "round_deadline": "round_deadline_s",
    "challenge_window": "challenge_window_s",
}
_SHARES: Final = {"sample": "sample_ppm"}
EVERYBODY: Final = "all"
"""The committee of every validator in the newest snapshot."""
_TEXT_SUFFIXES: Final = (".txt", ".md")


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A task ready to be posted, with all blobs whose hashes the chain and the spec name."""

    spec: TaskSpec
    dataset: Dataset
    dataset_blob: bytes
    genesis_blob: bytes
    policy: Policy

    @property
    def blobs(self) -> tuple[bytes, ...]:
        """What must be in the blob store before the task is created."""
        return self.dataset_blob, self.genesis_blob, self.policy.blob, self.spec.blob

    @property
    def genesis(self) -> Sha256:
        return sha256(self.genesis_blob)


def read_draft(path: Path, blobs: BlobStore | None = None) -> Draft:
    """Read a YAML (or JSON) draft; files it names are relative to it. ``blobs`` is asked for a dataset that
    is named by hash alone. Raises InvalidInput with a sentence that names the field."""
    return build_draft(load_yaml(path), path.parent, path.stem, blobs)


def build_draft(value: dict[str, Any], folder: Path, title: str, blobs: BlobStore | None = None) -> Draft:
    """The draft of a parsed document; see ``read_draft``."""
    document = {"version": 1, "kind": "pooled", "title": title, **value}
    _check_architecture(document)
    named, dataset, blob = read_dataset(section_of(document, "dataset"), folder, blobs)
    document["dataset"] = {"name": named.name, "kind": named.kind, "sha256": named.sha256}
    document["model"] = filled_model(section_of(document, "model"), dataset)
    document["money"] = with_amounts(section_of(document, "money"), _MONEY)
    document["recipe"] = drafted_recipe(section_of(document, "recipe"))
    policy = _policy(section_of(document, "verification").get("policy"), folder, blobs)
    checks = with_committee(renamed(document, "verification", _SHARES, parse_share_ppm))
    document["verification"] = {**checks, "policy": policy.hash.hex()}
    document["limits"] = renamed(document, "limits", _DURATIONS, parse_duration_s)
    spec = TaskSpec.from_value(document)
    layout_of(spec.model)
    _check_policy(spec, policy)
    dataset.require_fit(spec.model)
    _check_blob_limit(spec, len(blob))
    genesis = initial_checkpoint(spec)
    _check_blob_limit(spec, len(genesis))
    return Draft(spec=spec, dataset=dataset, dataset_blob=blob, genesis_blob=genesis, policy=policy)


class _Loader(yaml.SafeLoader):
    """Numbers with a point stay the text they are: a learning rate must not pass through a float."""


_Loader.yaml_implicit_resolvers = {}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$"), list("tf"))
_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^(?:null|~|)$"), ["n", "~", ""])
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:int", re.compile(r"^-?(?:0|[1-9][0-9_]{0,59})$"), list("-0123456789")
)


def load_yaml(path: Path) -> dict[str, Any]:
    """The document in a YAML (or JSON) file. Raises InvalidInput."""
    try:
        data = _read_file(path, MAX_SPEC_BYTES, "the spec").decode("utf-8")
        value = yaml.load(data, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f" in line {mark.line + 1}, column {mark.column + 1}" if mark is not None else ""
        raise InvalidInput(f"{path} is not YAML: {error.problem}{where}.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path} is not YAML: {' '.join(str(error).split())}.") from error
    if not isinstance(value, dict):
        raise InvalidInput(
            f"{path} is not a task spec: a document with model, dataset, recipe, money is needed."
        )
    return value


def _read_file(path: Path, limit: int, what: str) -> bytes:
    try:
        if path.stat().st_size > limit:
            raise InvalidInput(f"{path} ({what}) is larger than {limit} bytes.")
        return path.read_bytes()
    except FileNotFoundError as error:
        raise InvalidInput(f"{path} ({what}) does not exist.") from error
    except OSError as error:
        raise InvalidInput(f"{path} ({what}) cannot be read: {error.strerror}.") from error


def section_of(document: dict[str, Any], name: str) -> dict[str, Any]:
    """A part of a draft, which has named entries. Raises InvalidInput when it is not there."""
    value = document.get(name)
    if not isinstance(value, dict):
        raise InvalidInput(f"The spec cannot be used: it needs a section {name!r} with named entries.")
    return dict(value)


def _check_architecture(document: dict[str, Any]) -> None:
    arch = section_of(document, "model").get("arch")
    if arch not in ARCHITECTURES:
        known = ", ".join(sorted(ARCHITECTURES))
        raise InvalidInput(f"model.arch is {str(arch)[:60]!r}, an unknown architecture; known are {known}.")


def read_dataset(
    entry: dict[str, Any], folder: Path, blobs: BlobStore | None
) -> tuple[DatasetSpec, Dataset, bytes]:
    """What a draft's dataset entry names: its spec, the dataset, its canonical bytes. Raises InvalidInput."""
    unknown = sorted(set(entry) - {"source", "file", "label", "scale", "name", "kind", "sha256"})
    if unknown:
        raise InvalidInput(f"dataset.{unknown[0]} is unknown; write source, or file with label and scale.")
    if "source" in entry and "file" in entry:
        raise InvalidInput("dataset names both a source and a file; write one of them.")
    if "source" in entry:
        default, blob = str(entry["source"]), bundled_dataset(str(entry["source"]))
    elif "file" in entry:
        default, blob = str(entry["file"]), _ingest(entry, folder)
    else:
        return _by_hash(entry, blobs)
    kind: Literal["classification", "text"] = "text" if default.endswith(_TEXT_SUFFIXES) else "classification"
    found = sha256(blob).hex()
    if entry.get("sha256", found) != found:
        raise InvalidInput(
            f"dataset.sha256 is {str(entry['sha256'])[:64]}, but the canonical form of {default} "
            f"has sha256 {found}."
        )
    named = DatasetSpec(name=str(entry.get("name", Path(default).name)), kind=kind, sha256=found)
    return named, parse_dataset(blob, named.kind), blob


def _ingest(entry: dict[str, Any], folder: Path) -> bytes:
    path = folder / str(entry["file"])
    data = _read_file(path, MAX_DATASET_BYTES, "the dataset")
    scale = entry.get("scale", "standard")
    if scale not in ("standard", "none"):
        raise InvalidInput(f"dataset.scale is {str(scale)[:60]!r}; write standard or none.")
    try:
        return from_file(path.name, data, label=str(entry.get("label", "label")), scale=scale)
    except InvalidDataset as error:
        raise InvalidInput(f"{path} cannot be used as a dataset: {error.subject} {error.detail}.") from error


def _by_hash(entry: dict[str, Any], blobs: BlobStore | None) -> tuple[DatasetSpec, Dataset, bytes]:
    if blobs is None or "sha256" not in entry or entry.get("kind") not in ("classification", "text"):
        raise InvalidInput(
            "The spec names no dataset: write dataset.source (digits), dataset.file (my.csv), or the sha256, "
            "name and kind of one that is in the blob store."
        )
    name = parse_sha256(str(entry["sha256"]))
    named = DatasetSpec(name=str(entry.get("name", name.hex()[:12])), kind=entry["kind"], sha256=name.hex())
    try:
        blob = blobs.get(name, MAX_DATASET_BYTES)
    except BlobMissing as error:
        raise InvalidInput(
            f"dataset.sha256 names {name.hex()}, which is not in the blob store; dataset.file would add it."
        ) from error
    return named, load_dataset(blob, named), blob


def filled_model(model: dict[str, Any], dataset: Dataset) -> dict[str, Any]:
    """What the dataset implies about the model, where the draft leaves it out."""
    implied: dict[str, int]
    if isinstance(dataset, Text):
        implied = {"vocab": max(2, len(dataset.vocab))}
    else:
        side = math.isqrt(dataset.features)
        square = {"height": side, "width": side} if side * side == dataset.features else {}
        implied = {"inputs": dataset.features, "classes": max(2, dataset.classes), **square}
    bounds = ARCHITECTURES[model["arch"]].bounds
    params = section_of(model, "params")
    return {**model, "params": {**{k: v for k, v in implied.items() if k in bounds}, **params}}


def with_amounts(money: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """A section of money with its amounts in smallest units, as decimal strings. Raises InvalidInput."""
    amounts = {name: str(parse_amount(money[name], f"money.{name}")) for name in names if name in money}
    return {**money, **amounts}


def with_committee(entries: dict[str, Any]) -> dict[str, Any]:
    """A section that sizes a committee, everybody's as the spec writes it."""
    everybody = entries.get("committee_size") == EVERYBODY
    return {**entries, "committee_size": 0} if everybody else entries


def drafted_recipe(recipe: dict[str, Any]) -> dict[str, Any]:
    """A recipe with its numbers as decimal strings. Raises InvalidInput."""
    optimizer = section_of(recipe, "optimizer")
    for name in _DECIMALS:
        if name in optimizer:
            optimizer[name] = plain_decimal(optimizer[name], f"recipe.optimizer.{name}")
    drafted = {**recipe, "optimizer": optimizer}
    if isinstance(recipe.get("aggregation"), dict):
        drafted["aggregation"] = {
            name: plain_decimal(value, f"recipe.aggregation.{name}") if name in _LENGTHS else value
            for name, value in recipe["aggregation"].items()
        }
    return drafted


def _policy(named: object, folder: Path, blobs: BlobStore | None) -> Policy:
    """The policy that a draft names by file or by hash; the shipped one when it names none."""
    if named is None:
        return default_policy()
    text = str(named)
    if re.fullmatch("[0-9a-f]{64}", text) is None:
        return Policy.parse(_read_file(folder / text, MAX_POLICY_BYTES, "the verification policy"))
    name = parse_sha256(text)
    if name == default_policy().hash:
        return default_policy()
    if blobs is None:
        raise InvalidInput(f"verification.policy is {text}, which is not the shipped policy; name its file.")
    try:
        return load_policy(name, blobs)
    except BlobMissing as error:
        raise InvalidInput(f"verification.policy is {text}, which is not in the blob store.") from error


def _check_policy(spec: TaskSpec, policy: Policy) -> None:
    """Nobody could judge work that was not measured, and every validator would abstain."""
    try:
        limits = limits_of(spec, policy)
    except NotCalibrated as error:
        raise InvalidInput(f"{error} Choose another recipe.compute or recipe.codec.") from error
    if limits.hardware_class != spec.verification.hardware_class:
        raise InvalidInput(
            f"verification.hardware_class is {spec.verification.hardware_class}, but {spec.recipe.compute} "
            f"work is {limits.hardware_class} in the verification policy."
        )


def renamed(document: dict[str, Any], section: str, names: dict[str, str], parse: Any) -> dict[str, Any]:
    """A section with what people write turned into the spec's fields and units. Raises InvalidInput."""
    entries = section_of(document, section)
    for name, field in names.items():
        if name in entries and field in entries:
            raise InvalidInput(f"{section} has both {name} and {field}; write one of them.")
        if name in entries:
            entries[field] = parse(entries.pop(name), f"{section}.{name}")
    return entries


def _check_blob_limit(spec: TaskSpec, size: int) -> None:
    if size > spec.limits.max_blob_bytes:
        raise InvalidInput(
            f"limits.max_blob_bytes is {spec.limits.max_blob_bytes}, but this task has a blob of {size}."
        )
