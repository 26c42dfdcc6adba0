"""What a contest's quote says, held against the spec, the measured gas and the plan of replays."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from anvil.toolchain import PROJECT_ROOT
from pot.cli import main
from pot.contests.draft import ContestDraft, build_contest_draft, read_contest_draft
from pot.contests.quote import ContestQuote, quote_offline
from pot.draft import load_yaml
from pot.output import Table
from protocol.errors import InvalidInput
from worker.training.contest_step import Job, initial_state, save_state
from worker.training.data import parse_dataset
from worker.training.sml import MappedModel

EXAMPLE = PROJECT_ROOT / "examples" / "digits-contest.yaml"
SNAPSHOT = PROJECT_ROOT / "contracts" / "snapshots" / "contest.json"


@pytest.fixture(scope="module")
def draft() -> ContestDraft:
    return read_contest_draft(EXAMPLE)


def quoted(draft: ContestDraft, members: int = 4) -> ContestQuote:
    return quote_offline(draft, members, timed=False)


def without(draft: ContestDraft, name: str) -> ContestDraft:
    value = draft.spec.to_value()
    value["recipe"][name] = None
    return replace(draft, spec=type(draft.spec).from_value(value))


def words(quote: ContestQuote) -> str:
    return "\n".join(line for line in quote.text() if not isinstance(line, Table))


def test_quote__escrow__is_its_parts_to_the_unit(draft: ContestDraft) -> None:
    document = quoted(draft).to_json()
    compensation = document["compensation"]
    parts = (
        int(document["reward"]) + int(document["fee"]) + int(compensation["each"]) * compensation["entries"]
    )
    assert int(document["escrow"]) == parts == draft.spec.escrow_wei


def test_quote__gas__is_that_of_the_snapshots_rounded_up(draft: ContestDraft) -> None:
    """The snapshots are of four members and three or 64 entries; the permit comes on top of `post`."""
    measured = {name: int(gas) for name, gas in json.loads(SNAPSHOT.read_text()).items()}
    gas = quoted(draft).gas()
    assert draft.spec.limits.max_entries == 64
    pairs = [(gas[name], measured[name]) for name in ("post", "release", "commit", "reveal", "collect")]
    pairs += [(gas["certify"], measured["certify, 64 entries, 4 members"])]
    pairs += [(gas["close"], measured["close, 4 members"])]
    for said, found in pairs:
        assert found <= said <= 1.3 * found
    assert quoted(draft, 7).gas()["certify"] == gas["certify"] + 2 * 5_000


def test_quote__trace__storage_is_that_of_real_checkpoints(draft: ContestDraft) -> None:
    spec = draft.spec
    model = MappedModel(model=spec.model, mapping=spec.recipe.mapping)
    dataset = parse_dataset(draft.public, spec.dataset.kind)
    job = Job(recipe=spec.recipe, model=model, dataset=dataset, seed=bytes(32))
    trace = quoted(draft).to_json()["trace"]
    assert trace["checkpoint_bytes"] == len(save_state(job, initial_state(job)))
    assert trace["bytes_per_entry"] == (trace["segments"] + 1) * trace["checkpoint_bytes"]


def test_quote__example__all_members_together_replay_at_most_a_quarter(draft: ContestDraft) -> None:
    quote = quoted(draft)
    recipe = draft.spec.recipe
    assert quote.replayed == 4 * recipe.replays / recipe.segments <= 0.25
    assert int(draft.spec.money.fee) >= quote.fair_fee
    found = quote.found()
    assert found[1] == pytest.approx(85 / 1492)
    assert found[75] > 0.98
    assert list(found.values()) == sorted(found.values())


def test_quote__committee_that_replays_more_than_the_training__is_refused(draft: ContestDraft) -> None:
    quote = quoted(draft, 19)
    assert "MORE THAN THE TRAINING" in words(quote)
    assert "DOES NOT COVER" in words(quote)
    with pytest.raises(InvalidInput, match="19 members replay 93 of 1500 segments"):
        quote.check()
    quoted(draft, 16).check()


def test_draft__its_own_committee_replays_more_than_the_training__is_refused() -> None:
    value = load_yaml(EXAMPLE) | {"checks": {"committee_size": 19}}
    with pytest.raises(InvalidInput, match="19 members"):
        build_contest_draft(value, Path(), "too dear")


def test_quote__no_trace_and_no_layer__says_what_is_not_stopped(draft: ContestDraft) -> None:
    bare = quoted(without(without(draft, "trace"), "mapping"))
    document = bare.to_json()
    assert (document["trace"], document["mapping"], document["fee_that_pays_checking"]) == (None, None, "0")
    assert "wherever they come from" in words(bare)
    assert "works for everybody" in words(bare)
    assert "not a thief who has the training data" in words(quoted(draft))


def test_command__offline__prints_the_quote_as_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["contest", "quote", str(EXAMPLE), "--committee", "7", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["committee"] == {"n": 7, "f": 2}
    assert document["seconds"]["step_here"] > 0
    assert document["seconds"]["at_most"] == 120 * 60
