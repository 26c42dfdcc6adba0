import numpy as np
import pytest

from protocol.spec import DatasetSpec, ModelSpec
from tests.unit.training.specs import digits, sonnet
from worker.training import data as data_module
from worker.training.data import Classification, DatasetCache, Text, load_dataset, parse_dataset
from worker.training.errors import BlobRejected, DatasetHashMismatch, InvalidDataset
from worker.training.tensors import safe_save


def tiny(**changes: np.ndarray) -> bytes:
    arrays = {
        "x_train": np.zeros((3, 2), np.float32),
        "y_train": np.array([0, 1, 2]),
        "x_test": np.zeros((1, 2), np.float32),
        "y_test": np.array([1]),
    }
    return safe_save({**arrays, **changes})


def text(**changes: np.ndarray) -> bytes:
    tokens = np.array([0, 1, 1, 0], np.uint8)
    return safe_save({"tokens_train": tokens, "tokens_test": tokens, "vocab": np.array([97, 98]), **changes})


def test_load_dataset__digits__has_its_shapes_and_classes() -> None:
    dataset = parse_dataset(digits(), "classification")
    assert isinstance(dataset, Classification)
    assert dataset.x_train.shape == (1_438, 64)
    assert dataset.x_test.shape == (359, 64)
    assert (dataset.features, dataset.classes) == (64, 10)


def test_load_dataset__bytes_of_another_hash__is_refused() -> None:
    expected = DatasetSpec(name="digits", kind="classification", sha256="00" * 32)
    with pytest.raises(DatasetHashMismatch, match="the spec names 0000"):
        load_dataset(digits(), expected)


NO_SAMPLES: dict[str, np.ndarray] = {"x_test": np.zeros((0, 2), np.float32), "y_test": np.zeros(0, np.int64)}
BAD = {
    "labels shorter than samples": (tiny(y_train=np.array([0, 1])), "needed is I64 [3]"),
    "features of one dimension": (tiny(x_train=np.zeros(3, np.float32)), "needed is F32"),
    "float64 features": (tiny(x_train=np.zeros((3, 2))), "needed is F32"),
    "no test samples": (tiny(**NO_SAMPLES), "needed is F32"),
    "test with other features": (tiny(x_test=np.zeros((1, 5), np.float32)), "another number of features"),
    "a negative class": (tiny(y_test=np.array([-1])), "outside 0..65535"),
    "a class beyond the limit": (tiny(y_test=np.array([1 << 40])), "outside 0..65535"),
    "a tensor too many": (tiny(z=np.zeros(1)), "needs the tensors"),
}


@pytest.mark.parametrize("name", BAD)
def test_parse_dataset__bad_classification__is_refused_with_a_sentence(name: str) -> None:
    blob, sentence = BAD[name]
    with pytest.raises(InvalidDataset) as caught:
        parse_dataset(blob, "classification")
    assert sentence in str(caught.value)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_parse_dataset__feature_that_is_no_number__is_refused(value: float) -> None:
    with pytest.raises(BlobRejected, match="NaN or infinity"):
        parse_dataset(tiny(x_train=np.full((3, 2), value, np.float32)), "classification")


BAD_TEXT = {
    "a token outside the vocabulary": (text(tokens_test=np.array([2], np.uint8)), "outside the vocabulary"),
    "a vocabulary that repeats": (text(vocab=np.array([97, 97])), "ascending code points"),
    "a vocabulary out of order": (text(vocab=np.array([98, 97])), "ascending code points"),
    "float tokens": (text(tokens_train=np.zeros(3, np.float32)), "needed is U8 or I64"),
    "no tokens": (text(tokens_train=np.zeros(0, np.uint8)), "needed is U8 or I64"),
}


@pytest.mark.parametrize("name", BAD_TEXT)
def test_parse_dataset__bad_text__is_refused_with_a_sentence(name: str) -> None:
    blob, sentence = BAD_TEXT[name]
    with pytest.raises(InvalidDataset) as caught:
        parse_dataset(blob, "text")
    assert sentence in str(caught.value)


def test_parse_dataset__more_bytes_than_allowed__is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_module, "MAX_DATASET_BYTES", 100)
    with pytest.raises(InvalidDataset, match="at most 100 are allowed"):
        parse_dataset(digits(), "classification")


def test_text_batch__two_windows__are_followed_by_their_next_characters() -> None:
    dataset = parse_dataset(sonnet(), "text")
    assert isinstance(dataset, Text)
    model = ModelSpec(
        arch="transformer", params={"vocab": 48, "context": 5, "width": 8, "heads": 1, "layers": 1}
    )
    batch = dataset.batch(model, "train", np.array([0, 1]))
    inputs = ["".join(chr(dataset.vocab[token]) for token in row) for row in batch.inputs]
    targets = ["".join(chr(dataset.vocab[token]) for token in row) for row in batch.targets]
    assert inputs == ["Shall", " I co"]
    assert targets == ["hall ", "I com"]


def test_text__shorter_than_one_window__does_not_fit() -> None:
    dataset = parse_dataset(text(), "text")
    params = {"vocab": 2, "context": 4, "width": 8, "heads": 1, "layers": 1}
    with pytest.raises(InvalidDataset, match="shorter than the model's context"):
        dataset.require_fit(ModelSpec(arch="transformer", params=params))


def test_dataset__model_of_the_other_kind__does_not_fit() -> None:
    params = {"inputs": 64, "hidden": 8, "layers": 1, "classes": 10}
    with pytest.raises(InvalidDataset, match="this dataset is text"):
        parse_dataset(text(), "text").require_fit(ModelSpec(arch="mlp", params=params))


def test_dataset_cache__the_same_hash_again__is_not_fetched_again() -> None:
    dataset = parse_dataset(digits(), "classification")
    expected = DatasetSpec(name="digits", kind="classification", sha256=dataset.sha256.hex())
    fetched = []

    def fetch() -> bytes:
        fetched.append(1)
        return digits()

    cache = DatasetCache(capacity=1)
    assert cache.get(expected, fetch) is cache.get(expected, fetch)
    assert len(fetched) == 1
    other = parse_dataset(sonnet(), "text")
    cache.get(DatasetSpec(name="text", kind="text", sha256=other.sha256.hex()), sonnet)
    cache.get(expected, fetch)
    assert len(fetched) == 2, "the capacity of one was kept"
