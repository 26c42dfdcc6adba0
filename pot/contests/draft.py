"""A contest as its poster writes it: a YAML draft in; a checked spec, the public data and the sealed test set
out."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pot.amounts import parse_duration_s, parse_share_ppm
from pot.draft import (
    drafted_recipe,
    filled_model,
    load_yaml,
    read_dataset,
    renamed,
    section_of,
    with_amounts,
    with_committee,
)
from protocol.contest_spec import ContestSpec
from protocol.errors import InvalidInput
from protocol.ids import sha256
from protocol.sealed import key_hash, new_key, seal
from worker.training.contest_check import open_test_set
from worker.training.data import (
    Dataset,
    Text,
    canonical_classification,
    canonical_text,
    parse_dataset,
)
from worker.training.sml import MappedModel
from worker.training.trace import check_terms
from worker.training.trace_plan import check_replays

_MONEY: Final = ("reward", "fee", "compensation", "miner_stake", "slash_per_fault")
_DURATIONS: Final = {
    "commit": "commit_s",
    "release": "release_s",
    "reveal": "reveal_s",
    "score": "score_s",
    "challenge_window": "challenge_window_s",
}
_PPM: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ContestDraft:
    """A contest ready to be posted. ``key`` opens ``sealed``; whoever has both reads the test set."""

    spec: ContestSpec
    public: bytes
    sealed: bytes
    key: bytes

    @property
    def blobs(self) -> tuple[bytes, ...]:
        """What must be in the blob store before the contest is posted."""
        return self.public, self.sealed, self.spec.blob

    @property
    def key_hash(self) -> bytes:
        return key_hash(self.key)


def read_contest_draft(path: Path) -> ContestDraft:
    """Read a YAML draft; files it names are relative to it. Raises InvalidInput, naming the field."""
    return build_contest_draft(load_yaml(path), path.parent, path.stem)


def build_contest_draft(value: dict[str, Any], folder: Path, title: str) -> ContestDraft:
    """The draft of a parsed document: of the dataset's test split, the share ``sealed`` (default a half) is
    kept back under a fresh key."""
    document = {"version": 1, "kind": "contest", "title": title, **value}
    named, dataset, _ = read_dataset(section_of(document, "dataset"), folder, None)
    public, secret = divide(dataset, parse_share_ppm(document.pop("sealed", "50%"), "sealed"))
    key = new_key()
    sealed = seal(secret, key)
    document["dataset"] = {"name": named.name, "kind": named.kind, "sha256": sha256(public).hex()}
    document["model"] = filled_model(section_of(document, "model"), dataset)
    answers = _answers(parse_dataset(secret, named.kind), document["model"]["params"])
    document["test_set"] = {
        "sha256": sha256(secret).hex(),
        "sealed": sha256(sealed).hex(),
        "answers": answers,
    }
    document["goal"] = {
        name: _count(share, answers, f"goal.{name}") for name, share in section_of(document, "goal").items()
    }
    document["money"] = with_amounts(section_of(document, "money"), _MONEY)
    document["recipe"] = drafted_recipe(section_of(document, "recipe"))
    document["limits"] = renamed(document, "limits", _DURATIONS, parse_duration_s)
    if "checks" in document:
        document["checks"] = with_committee(section_of(document, "checks"))
    spec = ContestSpec.from_value(document)
    _check(spec, dataset, sealed, key)
    return ContestDraft(spec=spec, public=public, sealed=sealed, key=key)


def divide(dataset: Dataset, sealed_ppm: int) -> tuple[bytes, bytes]:
    """(what everybody sees, what is sealed): the last share of the test split is tested on and nowhere in
    the public part. Raises InvalidInput when one of them would be empty."""
    if isinstance(dataset, Text):
        cut = len(dataset.tokens_test) - len(dataset.tokens_test) * sealed_ppm // _PPM
        _require_parts(cut, len(dataset.tokens_test))
        head, tail = dataset.tokens_test[:cut], dataset.tokens_test[cut:]
        return canonical_text(dataset.tokens_train, head, dataset.vocab), canonical_text(
            head, tail, dataset.vocab
        )
    cut = len(dataset.y_test) - len(dataset.y_test) * sealed_ppm // _PPM
    _require_parts(cut, len(dataset.y_test))
    x, y = dataset.x_test, dataset.y_test
    public = canonical_classification(dataset.x_train, dataset.y_train, x[:cut], y[:cut])
    return public, canonical_classification(x[:cut], y[:cut], x[cut:], y[cut:])


def _require_parts(cut: int, samples: int) -> None:
    if not 0 < cut < samples:
        raise InvalidInput(f"sealed leaves {cut} of {samples} test samples public; both parts need some.")


def _answers(secret: Dataset, params: dict[str, Any]) -> int:
    if not isinstance(secret, Text):
        return len(secret.y_test)
    context = int(params["context"])
    return (len(secret.tokens_test) - 1) // context * context


def _count(share: object, answers: int, name: str) -> int:
    """A number of answers, or a share of them such as 97% (rounded up)."""
    if isinstance(share, int):
        return share
    return -(-parse_share_ppm(str(share), name) * answers // _PPM)


def _check(spec: ContestSpec, dataset: Dataset, sealed: bytes, key: bytes) -> None:
    """Everything that would make a validator refuse the contest later."""
    MappedModel(model=spec.model, mapping=spec.recipe.mapping)
    dataset.require_fit(spec.model)
    if spec.recipe.trace is not None:
        check_terms(spec.recipe)
        check_replays(spec.recipe, spec.checks.committee_size)
    if open_test_set(spec, sealed, key) is None:
        raise InvalidInput("The sealed test set does not fit the model: nobody could be scored on it.")
    if len(sealed) > spec.limits.max_blob_bytes:
        raise InvalidInput(f"limits.max_blob_bytes is {spec.limits.max_blob_bytes}; the test set is larger.")
