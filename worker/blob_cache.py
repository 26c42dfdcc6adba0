"""A byte-bounded memory of blobs that were fetched and checked."""

from collections import OrderedDict

from protocol.blobs import DEFAULT_MAX_BYTES, BlobStore, BlobTooLarge
from protocol.ids import Sha256


class CachedBlobs:
    """A BlobStore that keeps the least recently used blobs out of at most ``capacity`` bytes.

    A blob larger than the capacity passes through uncached. Blobs that were put are not kept: a miner does
    not read its own gradients.
    """

    def __init__(self, store: BlobStore, capacity: int) -> None:
        self._store = store
        self._capacity = capacity
        self._held: OrderedDict[Sha256, bytes] = OrderedDict()
        self._bytes = 0

    @property
    def held_bytes(self) -> int:
        return self._bytes

    def put(self, data: bytes) -> Sha256:
        return self._store.put(data)

    def has(self, name: Sha256) -> bool:
        return self._store.has(name)

    def get(self, name: Sha256, max_bytes: int = DEFAULT_MAX_BYTES) -> bytes:
        """Raises BlobTooLarge, and what the store behind raises."""
        held = self._held.get(name)
        if held is None:
            return self._keep(name, self._store.get(name, max_bytes))
        if len(held) > max_bytes:
            raise BlobTooLarge(f"blob {name.hex()}", f"{len(held)} bytes exceed the limit of {max_bytes}")
        self._held.move_to_end(name)
        return held

    def _keep(self, name: Sha256, data: bytes) -> bytes:
        if len(data) <= self._capacity:
            self._held[name] = data
            self._bytes += len(data)
            while self._bytes > self._capacity:
                _, dropped = self._held.popitem(last=False)
                self._bytes -= len(dropped)
        return data
