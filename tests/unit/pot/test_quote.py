"""The quote's arithmetic, held against a slow twin."""

import dataclasses
from fractions import Fraction
from pathlib import Path

import pytest

from anvil.toolchain import PROJECT_ROOT
from pot.dial import wish, with_sampling
from pot.draft import Draft, read_draft
from pot.quote import Committee, Quote, make_quote
from protocol.errors import InvalidInput


@pytest.fixture(scope="module")
def draft() -> Draft:
    return read_draft(PROJECT_ROOT / "examples" / "digits-mlp.yaml")


def quote(draft: Draft, members: int = 4) -> Quote:
    return make_quote(draft, members=members, gas_price=10**9, measure=False)


def test_quote__escrow__is_rewards_and_fees_to_the_unit(draft: Draft) -> None:
    document = quote(draft).to_json()
    assert int(document["escrow"]) == int(document["reward_total"]) + int(document["fee_total"])
    assert int(document["escrow"]) == draft.spec.escrow_wei


@pytest.mark.parametrize(("members", "honest"), [(4, 3), (7, 5), (10, 7), (5, 4)])
def test_quote__detection__counts_on_honest_replicas_only(draft: Draft, members: int, honest: int) -> None:
    missed = Fraction(1)
    for _ in range(honest):
        missed *= 1 - Fraction(25, 100)
    made = quote(draft, members)
    assert Committee(n=members).honest == honest
    assert made.detection == 1 - missed
    shards = 120
    without = Fraction(1)
    for taken in range(3):
        without *= Fraction(shards - 30 - taken, shards - taken)
    assert made.caught_within(3) == pytest.approx(float(1 - without**honest))


def test_quote__break_even_slash__is_the_least_at_which_cheating_does_not_pay(draft: Draft) -> None:
    made = quote(draft)
    p, reward, least = made.detection, made.spec.money.reward_per_shard_wei, made.break_even_slash
    assert least is not None
    assert p * least >= (1 - p) * reward
    assert p * (least - 1) < (1 - p) * reward
    assert not made.cheating_pays


def test_quote__nothing_sampled__says_that_cheating_pays(tmp_path: Path) -> None:
    text = (PROJECT_ROOT / "examples" / "digits-mlp.yaml").read_text().replace("sample: 25%", "sample: 0%")
    (tmp_path / "blind.yaml").write_text(text)
    made = quote(read_draft(tmp_path / "blind.yaml"))
    assert made.cheating_pays
    assert any("PAYS" in str(line) for line in made.text())


def test_quote__extra_compute__is_what_all_replicas_redo(draft: Draft) -> None:
    assert quote(draft).extra_compute == 1
    assert quote(draft, 7).extra_compute == Fraction(7, 4)


def test_wish__forty_of_three_hundred_at_95_percent__is_quoted_in_full(draft: Draft) -> None:
    asked = wish(draft.spec, members=4, detect="95%", bad=40, of=300)
    assert (asked.sample, asked.share_ppm) == (6.9102, 23_034)
    assert asked.found >= 0.95
    assert asked.extra_compute <= 0.10
    spec = with_sampling(draft.spec, asked.share_ppm)
    made = dataclasses.replace(quote(draft), spec=spec, wish=asked)
    document = made.to_json()
    assert document["wish"]["detection"] == asked.found
    assert int(document["fee_that_pays_checking"]) > 0
    assert "write `sample: 2.3034%`" in "\n".join(map(str, made.text()))
    assert "at 9.214 % more compute; 6.91 each" in "\n".join(map(str, made.text()))


@pytest.mark.parametrize(
    ("detect", "bad", "of", "says"),
    [
        ("0.95", 0, 300, "--bad is 0"),
        ("0.95", 301, 300, "--bad is 301"),
        ("0.95", 1, 0, "--of is 0"),
        ("maybe", 1, 300, "--detect is 'maybe'"),
    ],
)
def test_wish__cannot_be_meant__is_a_sentence(
    draft: Draft, detect: str, bad: int, of: int, says: str
) -> None:
    with pytest.raises(InvalidInput, match=says):
        wish(draft.spec, members=4, detect=detect, bad=bad, of=of)


def test_quote__canaries__are_priced_or_said_to_be_useless(draft: Draft) -> None:
    made = quote(draft)
    assert made.canaries is not None
    assert any("canaries and one signed away costs" in str(line) for line in made.text())
    blind = dataclasses.replace(made, spec=with_sampling(draft.spec, 1_000))
    assert blind.canaries is None
    assert any("would not be noticed" in str(line) for line in blind.text())
