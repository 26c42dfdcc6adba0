"""Drafts as people write them, and the sentences that answer bad ones."""

from pathlib import Path

import msgspec
import pytest

from pot.cli import main
from pot.draft import Draft, read_draft
from protocol.aggregation import Aggregation
from protocol.blobs import open_blob_store
from protocol.errors import InvalidInput
from protocol.ids import sha256
from protocol.policy import default_policy

DRAFT = """
title: digits
model: {arch: mlp, params: {hidden: 8, layers: 1}}
dataset: {source: digits}
recipe:
  optimizer: {kind: sgd, lr: 0.1, momentum: 9e-1}
  rounds: 20
  shards: 4
  global_batch: 128
verification: {sample: 25%}
money: {reward_per_shard: 1.5 POT, fee_per_round: 1000, miner_stake: 100 POT, slash_per_fault: 50 POT}
limits: {task_life: 2h, round_deadline: 20s}
"""


def draft(folder: Path, *changes: tuple[str, str]) -> Draft:
    text = DRAFT
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = folder / "task.yaml"
    path.write_text(text)
    return read_draft(path)


def test_draft__amounts_durations_shares__become_exact(tmp_path: Path) -> None:
    spec = draft(tmp_path).spec
    assert spec.money.reward_per_shard == "1500000000000000000"
    assert spec.money.fee_per_round == "1000"
    assert (spec.limits.task_life_s, spec.limits.round_deadline_s) == (7200, 20)
    assert spec.verification.sample_ppm == 250_000
    assert (spec.recipe.optimizer.lr, spec.recipe.optimizer.momentum) == ("0.1", "0.9")


def test_draft__what_the_dataset_implies__is_filled_in(tmp_path: Path) -> None:
    made = draft(tmp_path)
    assert made.spec.model.params == {"inputs": 64, "classes": 10, "hidden": 8, "layers": 1}
    assert made.spec.dataset.sha256 == sha256(made.dataset_blob).hex()
    cnn = draft(tmp_path, ("mlp, params: {hidden: 8, layers: 1}", "cnn, params: {channels: 2}"))
    assert cnn.spec.model.params == {"height": 8, "width": 8, "classes": 10, "channels": 2}


def test_draft__read_twice__has_the_same_hashes(tmp_path: Path) -> None:
    first, second = draft(tmp_path), draft(tmp_path)
    assert (first.spec.hash, first.genesis) == (second.spec.hash, second.genesis)


def test_draft__own_csv_and_text__are_ingested_beside_the_draft(tmp_path: Path) -> None:
    rows = "\n".join(f"{i},{i * i},{'ab'[i % 2]}" for i in range(40))
    (tmp_path / "my.csv").write_text("x,y,target\n" + rows)
    spec = draft(tmp_path, ("source: digits", "file: my.csv, label: target")).spec
    assert (spec.dataset.name, spec.model.params["inputs"], spec.model.params["classes"]) == ("my.csv", 2, 2)
    (tmp_path / "poem.txt").write_text("to be or not to be, that is the question. " * 20)
    transformer = "arch: transformer, params: {context: 8, width: 8, heads: 2, layers: 1}"
    text = draft(
        tmp_path,
        ("source: digits", "file: poem.txt"),
        ("arch: mlp, params: {hidden: 8, layers: 1}", transformer),
    )
    assert text.spec.dataset.kind == "text"


def test_draft__dataset_by_hash__comes_from_the_blob_store(tmp_path: Path) -> None:
    blobs = open_blob_store((tmp_path / "blobs").as_uri())
    known = draft(tmp_path)
    name = blobs.put(known.dataset_blob)
    text = DRAFT.replace("source: digits", f"sha256: '{name.hex()}', kind: classification, name: digits")
    (tmp_path / "by-hash.yaml").write_text(text)
    assert read_draft(tmp_path / "by-hash.yaml", blobs).spec == known.spec


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("arch: mlp", "arch: resnet", "model.arch is 'resnet', an unknown architecture; known are cnn, mlp"),
        ("1.5 POT", "-1", "money.reward_per_shard is -1: an amount cannot be negative"),
        ("1.5 POT", "1.5", "a fraction of the smallest unit"),
        ("1.5 POT", "1.5 ETH", "the token of this network is POT"),
        ("1.5 POT", "0", "reward_per_shard is 0"),
        ("rounds: 20", "rounds: 1000000000", "recipe.rounds is '1000000000'"),
        ("rounds: 20", "rounds: many", "recipe.rounds is 'many'"),
        ("global_batch: 128", "global_batch: 127", "4 shards cannot share equally"),
        ("lr: 0.1", "lr: .nan", "recipe.optimizer.lr is '.nan'"),
        ("lr: 0.1", "lr: -0.1", "not negative"),
        ("sample: 25%", "sample: 125%", "verification.sample is 125%"),
        ("task_life: 2h", "task_life: soon", "limits.task_life is 'soon': write a duration"),
        ("source: digits", "source: mnist", "bundled are digits"),
        ("source: digits", "file: missing.csv", "missing.csv (the dataset) does not exist"),
        (
            "source: digits",
            "file: nan.csv",
            "nan.csv cannot be used as a dataset: csv line 11, col",
        ),
        (
            "source: digits",
            "file: ok.csv, label: nothing",
            "ok.csv cannot be used as a dataset: csv has no column 'nothing'",
        ),
        ("source: digits", f"source: digits, sha256: '{'ab' * 32}'", "dataset.sha256 is abab"),
        ("source: digits", "url: http://x", "dataset.url is unknown"),
        ("hidden: 8", "hidden: 8, inputs: 63", "has 64 features, the model reads 63"),
        ("title: digits", "title: digits\ncode: import os", "unknown field `code`"),
        ("money: {", "moneys: {", "it needs a section 'money'"),
    ],
)
def test_post__bad_draft__is_a_sentence_and_exit_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, says: str
) -> None:
    (tmp_path / "nan.csv").write_text("x,label\n" + "\n".join("1,0" for _ in range(9)) + "\nnan,1\n")
    (tmp_path / "ok.csv").write_text("x,label\n" + "\n".join(f"{i},{i % 2}" for i in range(9)))
    assert old in DRAFT
    path = tmp_path / "task.yaml"
    path.write_text(DRAFT.replace(old, new))
    assert main(["task", "quote", str(path), "--committee", "4"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert says in captured.err


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[1, 2]", "is not a task spec"),
        ("a: [", r"is not YAML: .* in line 1, column 5\."),
        ("!!python/object/apply:os.system ['true']", "is not YAML"),
        ("x" * 70_000, "is larger than"),
    ],
)
def test_draft__no_draft_at_all__is_a_sentence(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "task.yaml"
    path.write_text(text)
    with pytest.raises(InvalidInput, match=says):
        read_draft(path)


def test_draft__missing_file__is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"nothing.yaml \(the spec\) does not exist"):
        read_draft(tmp_path / "nothing.yaml")


@pytest.mark.parametrize("name", ["digits-mlp", "digits-cnn"])
def test_examples__as_shipped__can_be_posted(name: str) -> None:
    from anvil.toolchain import PROJECT_ROOT

    assert read_draft(PROJECT_ROOT / "examples" / f"{name}.yaml").spec.escrow_wei > 0


@pytest.mark.parametrize(
    ("name", "file", "data"),
    [
        ("own-csv", "my.csv", "size,target\n" + "\n".join(f"{i},{'ab'[i % 2]}" for i in range(200))),
        ("own-text", "my.txt", "the quick brown fox jumps over the lazy dog. " * 40),
    ],
)
def test_examples__beside_a_file_of_ones_own__can_be_posted(
    tmp_path: Path, name: str, file: str, data: str
) -> None:
    from anvil.toolchain import PROJECT_ROOT

    (tmp_path / file).write_text(data)
    (tmp_path / "task.yaml").write_bytes((PROJECT_ROOT / "examples" / f"{name}.yaml").read_bytes())
    assert read_draft(tmp_path / "task.yaml").spec.dataset.name == file


def test_draft__lengths_of_a_robust_rule__become_decimal_strings(tmp_path: Path) -> None:
    rule = "{rule: centred-clipping, f: 0, radius: 2.5, smoothing: 1e-3}"
    made = draft(tmp_path, ("recipe:\n", f"recipe:\n  aggregation: {rule}\n"))
    assert made.spec.recipe.aggregation == Aggregation(
        rule="centred-clipping", f=0, radius="2.5", smoothing="0.001"
    )


def test_draft__policy__is_the_shipped_one_unless_a_file_or_hash_names_another(tmp_path: Path) -> None:
    shipped = draft(tmp_path)
    assert shipped.policy is default_policy()
    assert shipped.spec.policy_sha256 == default_policy().hash
    own = msgspec.structs.replace(default_policy(), test_ppb=7)
    (tmp_path / "own.json").write_bytes(own.blob)
    named = draft(tmp_path, ("sample: 25%", "sample: 25%, policy: own.json"))
    assert named.spec.policy_sha256 == own.hash
    assert own.blob in named.blobs
    assert named.spec.hash != shipped.spec.hash


@pytest.mark.parametrize(
    ("new", "says"),
    [
        ("policy: missing.json", "the verification policy"),
        (f"policy: '{'ab' * 32}'", "is not the shipped policy; name its file"),
        ("hardware_class: tolerant", "float64 work is exact in the verification policy"),
    ],
)
def test_draft__policy_that_cannot_judge_it__is_a_sentence(tmp_path: Path, new: str, says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        draft(tmp_path, ("sample: 25%", f"sample: 25%, {new}"))


def test_draft__work_that_nobody_measured__is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no limits for mlp in float32 as float32 on cpu"):
        draft(tmp_path, ("rounds: 20", "rounds: 20\n  compute: float32\n  codec: float32"))
