import hashlib

import numpy as np

from worker.training import philox

MASK = 2**64 - 1


def philox4x64_10(counter: list[int], key: list[int]) -> list[int]:
    """The algorithm as its paper prints it, slowly."""
    c, (k0, k1) = list(counter), key
    for _ in range(10):
        p0, p1 = 0xD2E7470EE14C6C93 * c[0], 0xCA5A826395121157 * c[2]
        c = [(p1 >> 64) ^ c[1] ^ k0, p1 & MASK, (p0 >> 64) ^ c[3] ^ k1, p0 & MASK]
        k0, k1 = (k0 + 0x9E3779B97F4A7C15) & MASK, (k1 + 0xBB67AE8584CAA73B) & MASK
    return c


def test_philoxTwin__zero_counter_and_key__gives_the_published_answer() -> None:
    expected = [0x16554D9ECA36314C, 0xDB20FE9D672D0FDC, 0xD7E772CEE186176B, 0x7E68B68AEC7BA23B]
    assert philox4x64_10([0, 0, 0, 0], [0, 0]) == expected


def test_words__any_stream__equals_the_algorithm_counted_from_one() -> None:
    digest = hashlib.sha256(b"a stream").digest()
    key = [int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:16], "little")]
    expected = [word for i in (1, 2, 3) for word in philox4x64_10([i, 0, 0, 0], key)]
    assert philox.words(b"a stream", 12).tolist() == expected


def test_symmetric_uniform__many_numbers__lie_inside_one_and_average_zero() -> None:
    numbers = philox.symmetric_uniform(b"u", 100_000)
    assert numbers.dtype == np.float32
    assert float(np.abs(numbers).max()) < 1.0
    assert abs(float(numbers.mean())) < 0.01
    assert abs(float(numbers.var()) - 1 / 3) < 0.01


def test_permutation__any_stream__holds_each_number_once_and_moves_most() -> None:
    order = philox.permutation(b"p", 1_000)
    assert sorted(order.tolist()) == list(range(1_000))
    assert int((order == np.arange(1_000)).sum()) < 10
