"""Is a released test set the one that a contest's poster promised?"""

from protocol.contest_spec import ContestSpec
from protocol.errors import VerificationFailed
from protocol.ids import sha256
from protocol.sealed import unseal
from worker.training.data import Dataset, parse_dataset
from worker.training.errors import InvalidDataset


def open_test_set(spec: ContestSpec, sealed: bytes, key: bytes) -> Dataset | None:
    """The promised test set; None when the key opens something else, or something that the models cannot be
    asked: other bytes, other shapes or classes, another number of answers."""
    plain = unseal(sealed, key)
    if sha256(plain) != spec.test_set_sha256:
        return None
    try:
        found = parse_dataset(plain, spec.dataset.kind)
        found.require_fit(spec.model)
    except (InvalidDataset, VerificationFailed):
        return None
    return found if answers_of(found, spec) == spec.test_set.answers else None


def answers_of(found: Dataset, spec: ContestSpec) -> int:
    """How many answers a test set asks for: one for each sample, or for each character of text."""
    samples = found.samples(spec.model, "test")
    return samples * spec.model.params["context"] if spec.dataset.kind == "text" else samples
