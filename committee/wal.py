"""The write-ahead log: one file per task that remembers what this validator has promised.

A file is a sequence of frames, each one batch of records that was flushed together::

    magic 4 bytes | payload length u32 | crc32 of length and payload u32 | payload (MessagePack)

The first frame names the instance and the member. A crash can only damage the last batch: nothing of it was
sent yet, so a damaged tail is cut off. A damaged frame *before* an intact one means lost promises: the log
is refused.

Behind the last frame the file holds zeros, written beforehand: a batch then changes neither the file's length
nor its place on the disk, so flushing it writes the batch alone and does not wait for the file system's
journal, which all processes of a machine share.
"""

import fcntl
import os
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import msgspec

from committee.errors import LogCorrupt, LogLocked
from committee.state import Record
from protocol.pbft_messages import Instance

MAX_FRAME_BYTES = 64 * 1024 * 1024
SPARE_BYTES = 1024 * 1024
"""How much room is made at a time."""
_MAGIC = b"\xf5WAL"
_HEAD = struct.Struct(">4sII")
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(tuple[Record, ...])
_T = TypeVar("_T")


class Identity(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """Whose promises a log holds."""

    version: int
    domain: bytes
    task: int
    member: str


_identity_decoder = msgspec.msgpack.Decoder(Identity)


def _frame(payload: bytes) -> bytes:
    if len(payload) > MAX_FRAME_BYTES:
        raise ValueError(f"a batch of {len(payload)} bytes is more than {MAX_FRAME_BYTES}")
    length = struct.pack(">I", len(payload))
    return _MAGIC + length + struct.pack(">I", zlib.crc32(payload, zlib.crc32(length))) + payload


def _read_frame(data: bytes, at: int) -> bytes | None:
    """The payload of the intact frame at ``at``, or None."""
    if at + _HEAD.size > len(data):
        return None
    magic, length, crc = _HEAD.unpack_from(data, at)
    payload = data[at + _HEAD.size : at + _HEAD.size + length]
    if magic != _MAGIC or length > MAX_FRAME_BYTES or len(payload) != length:
        return None
    return payload if zlib.crc32(payload, zlib.crc32(data[at + 4 : at + 8])) == crc else None


def _intact_frame_after(data: bytes, at: int) -> bool:
    at = data.find(_MAGIC, at + 1)
    while at >= 0:
        if _read_frame(data, at) is not None:
            return True
        at = data.find(_MAGIC, at + 1)
    return False


def _flush_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class Wal:
    """An open log. After a failed ``append`` or ``rotate`` it takes nothing more: what is on disk is
    unknown."""

    def __init__(self, path: Path, instance: Instance, member: int) -> None:
        """Open or create ``path`` and lock it; ``records`` are then what it holds.

        Raises LogLocked when another process has it, LogCorrupt when it is damaged or another instance's,
        OSError when the disk does not work.
        """
        self.path = path
        self.records: tuple[Record, ...] = ()
        self._identity = Identity(
            version=1, domain=instance.domain, task=instance.task, member=instance.members.addresses[member]
        )
        self._broken = False
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = self._take_lock()
        try:
            if not path.exists():
                self._write_afresh(())
            self._file = os.open(path, os.O_RDWR)
            self._load()
        except BaseException:
            os.close(self._lock)
            raise

    def _take_lock(self) -> int:
        lock = os.open(self.path.with_name(self.path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(lock)
            raise LogLocked(f"{self.path} is in use by another process. Stop that one first.") from error
        return lock

    def _load(self) -> None:
        data = self.path.read_bytes()
        head = _read_frame(data, 0)
        if head is None or self._decoded(_identity_decoder, head) != self._identity:
            raise LogCorrupt(
                f"{self.path} is not the log of {self._identity.member}, task {self._identity.task}."
            )
        records: list[Record] = []
        at = _HEAD.size + len(head)
        while (payload := _read_frame(data, at)) is not None:
            batch: tuple[Record, ...] = self._decoded(_decoder, payload)
            records.extend(batch)
            at += _HEAD.size + len(payload)
        if data.count(0, at) < len(data) - at:
            if _intact_frame_after(data, at):
                raise LogCorrupt(
                    f"{self.path} is damaged at byte {at}, before its end; restore it from a copy."
                )
            os.ftruncate(self._file, at)
            os.fsync(self._file)
            self._room = at
        else:
            self._room = len(data)
        self.size = at
        self.records = tuple(records)

    def _decoded(self, decoder: "msgspec.msgpack.Decoder[_T]", payload: bytes) -> _T:
        """The content of an intact frame. Raises LogCorrupt when another program wrote it."""
        try:
            return decoder.decode(payload)
        except msgspec.DecodeError as error:
            raise LogCorrupt(
                f"{self.path} holds something that this version cannot read: {error}."
            ) from error

    def append(self, records: Sequence[Record]) -> None:
        """Write a batch and return when it is on the disk. Raises OSError; the log is then unusable."""
        if self._broken:
            raise OSError(f"{self.path} failed before; what it holds is unknown")
        data = _frame(_encoder.encode(tuple(records)))
        end = self.size + len(data)
        self._broken = True
        if end > self._room:
            data += bytes(SPARE_BYTES)
        written = 0
        while written < len(data):
            written += os.pwrite(self._file, data[written:], self.size + written)
        os.fdatasync(self._file)
        self._broken = False
        self._room = max(self._room, self.size + len(data))
        self.size = end

    def rotate(self, records: Sequence[Record]) -> None:
        """Replace everything by ``records`` (a replica's ``snapshot``), atomically. Raises OSError."""
        if self._broken:
            raise OSError(f"{self.path} failed before; what it holds is unknown")
        self._broken = True
        self.size = self._write_afresh(records)
        os.close(self._file)
        self._file = os.open(self.path, os.O_RDWR)
        self._room = self.size + SPARE_BYTES
        self._broken = False

    def _write_afresh(self, records: Sequence[Record]) -> int:
        """Returns the length of what was written, without the room behind it."""
        fresh = self.path.with_name(self.path.name + ".fresh")
        data = _frame(_encoder.encode(self._identity))
        if records:
            data += _frame(_encoder.encode(tuple(records)))
        with fresh.open("wb") as file:
            file.write(data + bytes(SPARE_BYTES))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self.path)
        _flush_folder(self.path.parent)
        return len(data)

    def close(self) -> None:
        """Give the file and its lock back. May be called twice."""
        if self._lock >= 0:
            os.close(self._file)
            os.close(self._lock)
            self._lock = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
