"""The cache: the same bytes as the store, within its bound."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.blobs import DEFAULT_MAX_BYTES, BlobTooLarge
from protocol.ids import Sha256, sha256
from worker.blob_cache import CachedBlobs


class CountingStore:
    """A dictionary that counts its readings."""

    def __init__(self) -> None:
        self.blobs: dict[Sha256, bytes] = {}
        self.gets = 0

    def put(self, data: bytes) -> Sha256:
        self.blobs[sha256(data)] = data
        return sha256(data)

    def get(self, name: Sha256, max_bytes: int = DEFAULT_MAX_BYTES) -> bytes:
        self.gets += 1
        return self.blobs[name]

    def has(self, name: Sha256) -> bool:
        return name in self.blobs


def test_get__twice__asks_the_store_once() -> None:
    store = CountingStore()
    cache, name = CachedBlobs(store, 100), store.put(b"x" * 50)
    assert cache.get(name) == cache.get(name) == b"x" * 50
    assert store.gets == 1


def test_get__a_held_blob_over_the_readers_limit__is_refused() -> None:
    store = CountingStore()
    cache, name = CachedBlobs(store, 100), store.put(b"x" * 50)
    cache.get(name)
    with pytest.raises(BlobTooLarge):
        cache.get(name, 49)


def test_get__larger_than_the_cache__passes_through() -> None:
    store = CountingStore()
    cache, name = CachedBlobs(store, 10), store.put(b"x" * 50)
    assert cache.get(name) == b"x" * 50
    assert cache.held_bytes == 0


def test_get__full_cache__drops_the_least_recently_used() -> None:
    store = CountingStore()
    cache = CachedBlobs(store, 100)
    a, b, c = (store.put(letter * 40) for letter in (b"a", b"b", b"c"))
    for name in (a, b, a, c, a):
        cache.get(name)
    assert store.gets == 3
    cache.get(b)
    assert store.gets == 4


@given(st.lists(st.integers(0, 9), max_size=60), st.integers(0, 60))
def test_get__any_order__stays_true_and_within_the_bound(order: list[int], capacity: int) -> None:
    store = CountingStore()
    cache = CachedBlobs(store, capacity)
    names = [store.put(bytes([number]) * (3 * number + 1)) for number in range(10)]
    for number in order:
        assert sha256(cache.get(names[number])) == names[number]
        assert cache.held_bytes <= capacity
