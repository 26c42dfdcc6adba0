"""Content-addressed storage: a blob's name is its sha256, so nothing a store returns has to be believed.

``file://``, ``memory://``, ``s3://`` and whatever else fsspec speaks; ``http(s)://`` is a coordinator's
gateway.
"""

import http.client
import os
import urllib.error
import urllib.request
import uuid
from contextlib import suppress
from typing import Any, Protocol
from urllib.parse import urlsplit

import fsspec

from protocol.errors import ConfigurationError, InvalidInput, PotError, ServiceUnreachable, VerificationFailed
from protocol.ids import Sha256, sha256

DEFAULT_MAX_BYTES = 1 << 30
HTTP_TIMEOUT_S = 30.0


class BlobMissing(PotError):
    """No blob of that name is stored; it may arrive later, or its publisher withholds it."""

    def __init__(self, name: Sha256) -> None:
        super().__init__(f"blob {name.hex()} is not in the blob store.")
        self.name = name


class BlobCorrupt(VerificationFailed):
    """The store returned other bytes than the ones named. It says nothing about who published the blob, and
    another try may get the right ones."""

    def __init__(self, name: Sha256, found: Sha256) -> None:
        super().__init__(f"blob {name.hex()}", f"the store returned bytes with sha256 {found.hex()}")
        self.name = name


class BlobTooLarge(VerificationFailed):
    """A blob exceeds what the reader is willing to load."""


class BlobStore(Protocol):
    """Where blobs live. ``get`` checks the hash, so its result is what was asked for or an error."""

    def put(self, data: bytes) -> Sha256: ...
    def get(self, name: Sha256, max_bytes: int = DEFAULT_MAX_BYTES) -> bytes: ...
    def has(self, name: Sha256) -> bool: ...


def open_blob_store(url: str) -> BlobStore:
    """The store behind ``url``. Raises ConfigurationError for a URL that names none."""
    scheme = urlsplit(url).scheme
    if scheme in ("http", "https"):
        return HttpBlobStore(url)
    try:
        filesystem, root = fsspec.core.url_to_fs(url)
    except (ValueError, ImportError) as error:
        raise ConfigurationError(f"POT_BLOB_URL = {url!r} names no blob store: {error}.") from error
    return FsspecBlobStore(filesystem, root, url)


def _checked(name: Sha256, data: bytes) -> bytes:
    found = sha256(data)
    if found != name:
        raise BlobCorrupt(name, found)
    return data


class FsspecBlobStore:
    """Blobs as files ``ab/<sha256>`` under a folder or bucket."""

    def __init__(self, filesystem: Any, root: str, url: str) -> None:
        self._fs = filesystem
        self._root = root.rstrip("/")
        self._url = url

    def _path(self, name: Sha256) -> str:
        digits = name.hex()
        if len(digits) != 64:
            raise InvalidInput(f"{digits[:80]!r} is not the name of a blob.")
        return f"{self._root}/{digits[:2]}/{digits}"

    def put(self, data: bytes) -> Sha256:
        """Store ``data`` once; a reader never sees half a blob, and a file of another length, as a power cut
        leaves it, is replaced. Raises ServiceUnreachable."""
        name = sha256(data)
        path = self._path(name)
        try:
            if not self._holds(path, len(data)):
                self._fs.makedirs(path.rpartition("/")[0], exist_ok=True)
                part = f"{path}.{os.getpid()}.{uuid.uuid4().hex}.part"
                self._fs.pipe_file(part, data)
                self._fs.mv(part, path)
        except OSError as error:
            raise ServiceUnreachable("the blob store", self._url, str(error)) from error
        return name

    def _holds(self, path: str, size: int) -> bool:
        try:
            return bool(self._fs.size(path) in (size, None))
        except FileNotFoundError:
            return False

    def get(self, name: Sha256, max_bytes: int = DEFAULT_MAX_BYTES) -> bytes:
        """Raises BlobMissing, BlobTooLarge, BlobCorrupt or ServiceUnreachable. What is not what its name says
        is of no use to anybody: it is removed where that is allowed, so that whoever has the blob stores it
        again."""
        path = self._path(name)
        try:
            size = self._fs.size(path)
            if size is not None and size > max_bytes:
                raise BlobTooLarge(f"blob {name.hex()}", f"{size} bytes exceed the limit of {max_bytes}")
            data = self._fs.cat_file(path)
        except FileNotFoundError as error:
            raise BlobMissing(name) from error
        except OSError as error:
            raise ServiceUnreachable("the blob store", self._url, str(error)) from error
        try:
            return _checked(name, bytes(data))
        except BlobCorrupt:
            with suppress(OSError):
                self._fs.rm_file(path)
            raise

    def has(self, name: Sha256) -> bool:
        """Raises ServiceUnreachable."""
        try:
            return bool(self._fs.exists(self._path(name)))
        except OSError as error:
            raise ServiceUnreachable("the blob store", self._url, str(error)) from error


class HttpBlobStore:
    """A coordinator's gateway: ``GET`` and ``PUT`` on ``<url>/<sha256>``."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")

    def _request(self, name: Sha256, method: str, data: bytes | None = None) -> Any:
        request = urllib.request.Request(f"{self._url}/{name.hex()}", data=data, method=method)
        try:
            return urllib.request.urlopen(request, timeout=HTTP_TIMEOUT_S)
        except urllib.error.HTTPError as error:
            if error.code == 404:
                raise BlobMissing(name) from error
            raise ServiceUnreachable("the blob gateway", self._url, f"HTTP {error.code}") from error
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable(error) from error

    def _unreachable(self, error: Exception) -> ServiceUnreachable:
        return ServiceUnreachable("the blob gateway", self._url, str(error) or type(error).__name__)

    def put(self, data: bytes) -> Sha256:
        """Raises ServiceUnreachable."""
        name = sha256(data)
        with self._request(name, "PUT", data):
            return name

    def get(self, name: Sha256, max_bytes: int = DEFAULT_MAX_BYTES) -> bytes:
        """Raises BlobMissing, BlobTooLarge, BlobCorrupt or ServiceUnreachable."""
        with self._request(name, "GET") as response:
            announced = response.headers.get("Content-Length", "")
            size = int(announced) if announced.isdigit() else None
            if size is not None and size > max_bytes:
                raise BlobTooLarge(f"blob {name.hex()}", f"{size} bytes exceed the limit of {max_bytes}")
            try:
                data: bytes = response.read(max_bytes + 1)
            except (OSError, http.client.HTTPException) as error:
                raise self._unreachable(error) from error
        if size is not None and len(data) < size:
            raise self._unreachable(ConnectionError(f"it broke off after {len(data)} of {size} bytes"))
        if len(data) > max_bytes:
            raise BlobTooLarge(f"blob {name.hex()}", f"it exceeds the limit of {max_bytes} bytes")
        return _checked(name, data)

    def has(self, name: Sha256) -> bool:
        try:
            with self._request(name, "HEAD"):
                return True
        except BlobMissing:
            return False
