"""A bounded memory in front of a blob store: what was just checked need not be read again."""

import threading
from collections import OrderedDict
from typing import Final

from protocol.blobs import DEFAULT_MAX_BYTES, BlobStore, BlobTooLarge
from protocol.ids import Sha256

CACHE_BYTES: Final = 64 * 1024 * 1024
MAX_ENTRY_BYTES: Final = CACHE_BYTES // 8


class BlobCache:
    """A BlobStore that remembers the blobs used last. Names are hashes, so nothing remembered is ever stale.
    Thread-safe."""

    def __init__(self, store: BlobStore) -> None:
        self._store = store
        self._kept: OrderedDict[Sha256, bytes] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def put(self, data: bytes) -> Sha256:
        """Raises ServiceUnreachable."""
        name = self._store.put(data)
        self._keep(name, data)
        return name

    def get(self, name: Sha256, max_bytes: int = DEFAULT_MAX_BYTES) -> bytes:
        """Raises BlobMissing, BlobTooLarge, VerificationFailed or ServiceUnreachable."""
        with self._lock:
            data = self._kept.get(name)
            if data is not None:
                self._kept.move_to_end(name)
        if data is None:
            data = self._store.get(name, max_bytes)
            self._keep(name, data)
        elif len(data) > max_bytes:
            raise BlobTooLarge(f"blob {name.hex()}", f"{len(data)} bytes exceed the limit of {max_bytes}")
        return data

    def has(self, name: Sha256) -> bool:
        with self._lock:
            if name in self._kept:
                return True
        return self._store.has(name)

    def restore(self) -> None:
        """Store again what is remembered and the store has lost. Raises ServiceUnreachable."""
        with self._lock:
            kept = dict(self._kept)
        for name, data in kept.items():
            if not self._store.has(name):
                self._store.put(data)

    def _keep(self, name: Sha256, data: bytes) -> None:
        if len(data) > MAX_ENTRY_BYTES:
            return
        with self._lock:
            if name in self._kept:
                return
            self._kept[name] = data
            self._bytes += len(data)
            while self._bytes > CACHE_BYTES:
                self._bytes -= len(self._kept.popitem(last=False)[1])
