"""What makes a gradient a canary: a mark that only its maker could put there, and that all can see later.

The mark is 128 bits, a hash of a salt that was committed to before the task began. The least significant bits
of the gradient's last 128 codes are set to it, each at the price of one level: a miss for whoever executes
the shard, noise of rounding for whoever does not. ``contracts/src/libraries/MarkLib.sol`` finds the same.
"""

import json
from dataclasses import dataclass
from typing import Any, Final

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from protocol import merkle
from protocol.errors import InvalidInput
from protocol.ids import Address, Sha256, sha256
from protocol.policy import Limits
from protocol.sha256 import BLOCK_BYTES, INITIAL_STATE, absorb
from protocol.signing import Signer
from protocol.typed_data import Domain

MARK_BITS: Final = 128
CANARY_LEAF: Final = ["address", "bytes32"]
SALT_DOMAIN: Final = b"ProofOfTraining/canary/1"
MAX_HONEST_CODES: Final = 8
"""Codes that honest work may be off by where canaries can be told from it: 128 given bits come within 8 of
honest ones once in 2^87 tries."""
_CODE_BYTES: Final = {"I8": 1, "I16": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobTail:
    """The end of a gradient blob: ``state`` is the SHA-256 state (32 bytes) after the ``skipped`` bytes
    before ``data``; the last code ends at ``codes_end`` in it, each code has ``code_bytes``."""

    state: bytes
    skipped: int
    data: bytes
    codes_end: int
    code_bytes: int

    def argument(self) -> tuple[Any, ...]:
        """As the contract takes it."""
        return (self.state, self.skipped, self.data, self.codes_end, self.code_bytes)


def canary_salt(signer: Signer, domain: Domain, spec_hash: Sha256) -> Sha256:
    """The secret of one canary miner for one spec, from its key alone: the hash of a deterministic signature.
    Whoever posts a spec again needs another miner, since an opened salt stays known."""
    return sha256(signer.sign(sha256(SALT_DOMAIN + domain.separator + spec_hash)))


def canary_root(canaries: list[tuple[Address, bytes]]) -> bytes:
    """What a poster plants: the Merkle root over (miner, salt)."""
    return merkle.root(canaries, CANARY_LEAF)


def mark_of(salt: bytes, spec_hash: Sha256, round_number: int, shard: int) -> int:
    """The 128 bits of one shard, the first code's on top."""
    words = encode(["bytes32", "bytes32", "uint256", "uint256"], [salt, spec_hash, round_number, shard])
    return int.from_bytes(keccak(words)[:16], "big")


def codes_place(blob: bytes) -> tuple[int, int]:
    """(end of the codes in the blob, bytes of one code). Raises InvalidInput for a blob without 128 codes of
    one or two bytes: float32 gradients cannot be marked."""
    try:
        size = int.from_bytes(blob[:8], "little")
        header = json.loads(blob[8 : 8 + size])
        codes = header["codes"]
        begin, end = (int(offset) + 8 + size for offset in codes["data_offsets"])
        width = _CODE_BYTES[codes["dtype"]]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InvalidInput("A canary needs a gradient of int8 or int16 codes.") from error
    if not 0 <= begin <= end - MARK_BITS * width or end > len(blob):
        raise InvalidInput(f"A canary needs a gradient of at least {MARK_BITS} codes.")
    return end, width


def found_mark(blob: bytes) -> int:
    """The bits that the last 128 codes of a blob carry. Raises InvalidInput."""
    end, width = codes_place(blob)
    bits = 0
    for place in range(end - MARK_BITS * width, end, width):
        bits = bits << 1 | blob[place] & 1
    return bits


def marked(blob: bytes, mark: int, code_bits: int) -> bytes:
    """The blob with every code whose bit is wrong moved by one level: towards zero, or away from it where the
    block's scale would not fit any more. ``code_bits`` are a code's without its sign. Raises InvalidInput."""
    end, width = codes_place(blob)
    result, half = bytearray(blob), 1 << (code_bits - 1)
    for index in range(MARK_BITS):
        place = end - (MARK_BITS - index) * width
        code = int.from_bytes(result[place : place + width], "little", signed=True)
        if code & 1 != mark >> (MARK_BITS - 1 - index) & 1:
            sign = -1 if code < 0 else 1
            code += sign if abs(code) in (0, half) else -sign
            result[place : place + width] = code.to_bytes(width, "little", signed=True)
    return bytes(result)


def tail_of(blob: bytes) -> BlobTail:
    """What shows the contract the end of a blob. Raises InvalidInput."""
    end, width = codes_place(blob)
    skipped = (end - MARK_BITS * width) // BLOCK_BYTES * BLOCK_BYTES
    state = absorb(INITIAL_STATE, blob[:skipped])
    return BlobTail(
        state=state, skipped=skipped, data=blob[skipped:], codes_end=end - skipped, code_bytes=width
    )


def tellable(limits: Limits, codec: str, total: int) -> bool:
    """Whether a canary of ``total`` codes is a miss under these limits, and honest work is never near a mark:
    exact arithmetic only. Elsewhere a validator could be charged for what its policy lets pass, so it takes
    no part in a task with canaries."""
    exact = limits.doubtful_l2_ppb == 0 and limits.stray_blocks(total) == 0
    return exact and codec != "float32" and limits.codes(total) <= MAX_HONEST_CODES
