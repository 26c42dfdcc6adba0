"""Whoever skips work expects to lose by it, wherever terms are offered at all."""

import math

import pytest

from protocol.canary import CATCHES, HORIZON_ROUNDS, MAX_SHARE_PPM, canary_terms, escape_probability


@pytest.mark.parametrize("shards", [1, 4, 32, 1024])
@pytest.mark.parametrize("sample_ppm", [1_000, 23_334, 250_000, 1_000_000])
def test_terms__any_offered_point__any_skipped_share_costs_more_than_it_saves(
    shards: int, sample_ppm: int
) -> None:
    terms = canary_terms(shards=shards, sample_ppm=sample_ppm, shard_cost=10**18)
    if terms is None:
        assert MAX_SHARE_PPM * HORIZON_ROUNDS * shards * sample_ppm < CATCHES * 10**12
        return
    executed = HORIZON_ROUNDS * shards * sample_ppm // 1_000_000
    for percent in range(1, 101):
        saved = percent / 100 * executed * 10**18
        lost = (1 - escape_probability(terms, executed, percent / 100)) * terms.penalty
        assert lost > saved
    assert escape_probability(terms, executed, 1.0) <= math.exp(-CATCHES) * 1.01


def test_terms__nothing_sampled__are_not_offered() -> None:
    assert canary_terms(shards=8, sample_ppm=0, shard_cost=1) is None
