"""Websocket connections whose binary messages take the short way.

The library assembles messages in tasks and queues and writes through several layers; an agreement is made of
many small messages, and most of its time was spent there. Here frames are cut in the callback that read them:
a whole binary message goes straight to ``on_data``; every other frame (the handshake's, ping, close, a
fragment, a wrong one) goes to the library as it is, so the library alone decides about the connection.
"""

import os
import struct
from collections.abc import Callable

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.connection import Connection
from websockets.asyncio.server import ServerConnection
from websockets.protocol import SERVER, State

from protocol.frames import MAX_FRAME_BYTES

try:
    from websockets.speedups import apply_mask
except ImportError:  # built without its C part
    from websockets.utils import apply_mask

_WHOLE_BINARY = 0x82  # FIN and the opcode of binary data
_MASKED = 0x80
_LENGTH_16 = 126
_LENGTH_64 = 127
_HEAD_16 = struct.Struct(">BBH")
_HEAD_64 = struct.Struct(">BBQ")


def head(length: int, *, masked: bool) -> bytes:
    """The first bytes of a frame that carries a whole binary message of ``length`` bytes."""
    mask = _MASKED if masked else 0
    if length < _LENGTH_16:
        return bytes((_WHOLE_BINARY, mask | length))
    if length < 1 << 16:
        return _HEAD_16.pack(_WHOLE_BINARY, mask | _LENGTH_16, length)
    return _HEAD_64.pack(_WHOLE_BINARY, mask | _LENGTH_64, length)


def measure(data: bytes, at: int) -> tuple[int, int]:
    """(bytes of the head, bytes of the payload) of the frame at ``at``; (0, 0): the head is incomplete."""
    left = len(data) - at
    if left < 2:
        return 0, 0
    mask_bytes, length = data[at + 1] >> 7 << 2, data[at + 1] & 0x7F
    if length < _LENGTH_16:
        return 2 + mask_bytes, length
    wide = 2 if length == _LENGTH_16 else 8
    if left < 2 + wide:
        return 0, 0
    return 2 + wide + mask_bytes, int.from_bytes(data[at + 2 : at + 2 + wide], "big")


class DirectConnection(Connection):
    """``on_data``, when it is set, gets whole binary messages. What waits for the end of a frame is at most
    one frame and what was read with it."""

    on_data: Callable[[bytes], None] | None = None
    _kept: bytearray | None = None  # the beginning of a frame
    _wanted = 0  # how many bytes of it make a step forward
    _broken = False  # the library has been given half a frame, for it to refuse

    def data_received(self, data: bytes) -> None:
        if self._broken or self.protocol.state is State.CONNECTING:
            super().data_received(data)
            return
        if self._kept is not None:
            self._kept += data
            if len(self._kept) < self._wanted:
                return
            data, self._kept = bytes(self._kept), None
        self._cut(data)

    def _cut(self, data: bytes) -> None:
        at, end, masked = 0, len(data), self.protocol.side is SERVER
        while at < end:
            before, length = measure(data, at)
            start, stop = at + before, at + before + length
            if length > MAX_FRAME_BYTES:
                self._broken = True
                super().data_received(data[at:])
                return
            if not before or stop > end:
                self._kept, self._wanted = bytearray(data[at:]), stop - at
                return
            direct = data[at] == _WHOLE_BINARY and (data[at + 1] >= _MASKED) is masked
            if self.on_data is None or not direct:
                super().data_received(data[at:stop])
            elif masked:
                self.on_data(apply_mask(data[start:stop], data[start - 4 : start]))
            else:
                self.on_data(data[start:stop])
            at = stop

    def write_whole(self, payload: bytes) -> None:
        """Write a binary message at once, behind what the socket has not taken yet. A connection that is
        closing takes none."""
        if self.protocol.state is not State.OPEN:
            return
        if self.protocol.side is SERVER:
            self.transport.write(head(len(payload), masked=False) + payload)
        else:
            mask = os.urandom(4)
            self.transport.write(head(len(payload), masked=True) + mask + apply_mask(payload, mask))


class DiallingConnection(DirectConnection, ClientConnection):
    """For ``connect``."""


class ListeningConnection(DirectConnection, ServerConnection):
    """For ``serve``."""
