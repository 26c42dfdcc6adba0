"""Blobs are named by their hash, so a lying store is caught and a path never comes from outside."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.blobs import BlobMissing, BlobTooLarge, open_blob_store
from protocol.errors import ConfigurationError, InvalidInput, VerificationFailed
from protocol.ids import Sha256, parse_sha256, sha256


@pytest.mark.parametrize("scheme", ["file", "memory"])
def test_store__put_and_get__round_trip(scheme: str, tmp_path: Path) -> None:
    store = open_blob_store(f"{scheme}://{tmp_path}/blobs")
    name = store.put(b"hello")
    assert store.put(b"hello") == name == sha256(b"hello")
    assert store.get(name) == b"hello"
    assert store.has(name)
    assert not store.has(sha256(b"other"))
    with pytest.raises(BlobMissing):
        store.get(sha256(b"other"))
    with pytest.raises(BlobTooLarge):
        store.get(name, max_bytes=4)


def test_get__tampered_file__is_named(tmp_path: Path) -> None:
    store = open_blob_store(f"file://{tmp_path}")
    name = store.put(b"hello")
    (tmp_path / name.hex()[:2] / name.hex()).write_bytes(b"hullo")
    with pytest.raises(VerificationFailed, match=name.hex()):
        store.get(name)


def test_get__tampered_file_of_the_same_length__is_removed_so_that_it_can_be_stored_again(
    tmp_path: Path,
) -> None:
    store = open_blob_store(f"file://{tmp_path}")
    name = store.put(b"hello")
    (tmp_path / name.hex()[:2] / name.hex()).write_bytes(b"hullo")
    with pytest.raises(VerificationFailed):
        store.get(name)
    assert not store.has(name)
    store.put(b"hello")
    assert store.get(name) == b"hello"


def test_open__unknown_scheme__is_a_configuration_error() -> None:
    with pytest.raises(ConfigurationError, match="POT_BLOB_URL"):
        open_blob_store("gopher://x")


@pytest.mark.parametrize("name", [b"", b"short", b"../../etc/passwd"])
def test_get__not_a_hash__never_reaches_the_file_system(name: bytes, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput):
        open_blob_store(f"file://{tmp_path}").get(Sha256(name))


@given(st.text(max_size=70))
def test_parse_sha256__anything_but_64_hex_digits__is_refused(text: str) -> None:
    try:
        assert parse_sha256(text).hex() == text
    except InvalidInput:
        assert len(text) != 64 or set(text) - set("0123456789abcdef")


def test_parse_sha256__trailing_newline__is_refused() -> None:
    with pytest.raises(InvalidInput):
        parse_sha256("ab" * 32 + "\n")
