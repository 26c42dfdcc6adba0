"""Counter-based random words whose value is defined by an algorithm, not by a library's version.

Stream ``material`` is Philox4x64-10 (Salmon et al., SC 2011) with the key = the first 16 bytes of
sha256(material), read as two little-endian words, and the counters 1, 2, 3, ...; each counter gives four
words, in order.
"""

import hashlib

import numpy as np
from numpy.typing import NDArray


def words(material: bytes, count: int) -> NDArray[np.uint64]:
    """The first ``count`` 64-bit words of the stream named ``material``."""
    key = np.frombuffer(hashlib.sha256(material).digest()[:16], dtype="<u8")
    raw: NDArray[np.uint64] = np.random.Philox(key=key, counter=0).random_raw(count)
    return raw


def symmetric_uniform(material: bytes, count: int) -> NDArray[np.float32]:
    """``count`` float32 numbers, uniform on the odd multiples of 2**-24 inside (-1, 1).

    The top 24 bits u of each word become (2u + 1 - 2**24) / 2**24: both steps are exact in float32, so the
    bits are the same on every machine.
    """
    top = (words(material, count) >> np.uint64(40)).astype(np.int64)
    odd = 2 * top + 1 - 2**24
    return (odd.astype(np.float32) * np.float32(2.0**-24)).astype(np.float32)


def permutation(material: bytes, count: int) -> NDArray[np.int64]:
    """A permutation of 0..count-1: the order that sorts ``count`` words, equal words by position.

    Sorting distinct random keys is an unbiased shuffle; two equal 64-bit words (the only source of bias) have
    a probability below count**2 / 2**65.
    """
    return np.argsort(words(material, count), kind="stable").astype(np.int64)
