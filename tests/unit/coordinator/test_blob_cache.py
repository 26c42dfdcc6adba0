"""What the coordinator remembers outlives a store that loses things."""

from pathlib import Path

from coordinator.blob_cache import BlobCache
from protocol.blobs import open_blob_store


def test_restore__a_store_that_lost_a_blob__has_it_again(tmp_path: Path) -> None:
    store = open_blob_store(tmp_path.as_uri())
    cache = BlobCache(store)
    lost, kept = cache.put(b"lost"), cache.put(b"kept")
    (tmp_path / lost.hex()[:2] / lost.hex()).unlink()
    assert not store.has(lost)
    cache.restore()
    assert store.get(lost) == b"lost"
    assert store.get(kept) == b"kept"
