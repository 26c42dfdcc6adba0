"""How far apart two honest executions of one shard may be: measured, published, named by hash in the spec.

A policy is a canonical JSON document. Its limits hold for one architecture, arithmetic and codec on the
device classes they name; what is not in it was not measured, and nobody is judged by it.
"""

from functools import cache
from importlib.resources import files
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from protocol.blobs import BlobStore
from protocol.canonical import canonical_json, is_canonical
from protocol.errors import InvalidInput, PotError
from protocol.ids import Sha256, sha256
from protocol.spec_document import Part

MAX_POLICY_BYTES: Final = 256 * 1024
PPM: Final = 1_000_000

Device = Literal["cpu", "cuda"]
Count = Annotated[int, Meta(ge=0, le=2**31)]
Ppm = Annotated[int, Meta(ge=0, le=PPM)]
Ppb = Annotated[int, Meta(ge=0, le=10**9, description="parts per thousand million")]
Hex64 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]


class NotCalibrated(PotError):
    """The policy says nothing about this kind of work here: an abstention, never a rejection."""

    def __init__(self, detail: str) -> None:
        super().__init__(f"The verification policy has no limits for {detail}.")
        self.detail = detail


class Limits(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What honest noise stays within, for one architecture, arithmetic and codec.

    A block (see ``worker.training.codec``) is *stray* when one of its codes is more than one level off or
    more than ``block_codes`` of them differ. A claim is *near* when at most ``spare_codes`` + ``codes_ppm``
    of the codes outside stray blocks differ, at most ``spare_blocks`` + ``blocks_ppm`` of the blocks are
    stray, and the relative L2 distance is at most ``near_l2_ppb``. Beyond that it is *doubtful* up to
    ``doubtful_l2_ppb``, which happens to at most ``doubtful_ppm`` of honest work; anything else is a miss.
    ``checks`` is the number of honest checks behind these numbers.
    """

    arch: Literal["mlp", "cnn", "transformer"]
    compute: Literal["float64", "float32"]
    codec: Literal["float32", "int8", "int16"]
    devices: tuple[Device, ...]
    hardware_class: Literal["exact", "tolerant"]
    spare_codes: Count
    codes_ppm: Ppm
    block_codes: Count
    spare_blocks: Count
    blocks_ppm: Ppm
    near_l2_ppb: Ppb
    doubtful_l2_ppb: Ppb
    doubtful_ppm: Ppm
    checks: Count

    def codes(self, total: int) -> int:
        """How many of ``total`` codes may differ by one level."""
        return self.spare_codes + total * self.codes_ppm // PPM

    def stray_blocks(self, total: int) -> int:
        """How many of ``total`` blocks may be stray."""
        return self.spare_blocks + total * self.blocks_ppm // PPM


class Policy(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole document. ``measurement`` is the sha256 of the canonical record the limits were derived
    from; ``empty`` names device classes that were not measured; ``test_ppb`` is the false positive rate of
    each test over rounds (direction, doubt) for one honest miner and task."""

    version: Literal[1]
    measurement: Hex64
    empty: tuple[Device, ...]
    test_ppb: Annotated[int, Meta(ge=1, le=10**9)]
    limits: Annotated[tuple[Limits, ...], Meta(max_length=256)]

    @classmethod
    def parse(cls, data: bytes) -> "Policy":
        """Raises InvalidInput when it is too large, not canonical JSON, not valid, or says something
        twice."""
        if len(data) > MAX_POLICY_BYTES:
            raise InvalidInput(f"A policy of {len(data)} bytes exceeds the limit of {MAX_POLICY_BYTES}.")
        try:
            policy = msgspec.json.decode(data, type=cls)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise InvalidInput(f"The verification policy cannot be used: {error}.") from error
        if not is_canonical(data, policy.to_value()):
            raise InvalidInput("The verification policy is not in canonical form.")
        named = [(i.arch, i.compute, i.codec, device) for i in policy.limits for device in i.devices]
        if len(set(named)) != len(named):
            raise InvalidInput("The verification policy has two limits for the same work.")
        return policy

    def to_value(self) -> dict[str, Any]:
        value: dict[str, Any] = msgspec.to_builtins(self)
        return value

    @property
    def blob(self) -> bytes:
        """The canonical bytes."""
        return canonical_json(self.to_value())

    @property
    def hash(self) -> Sha256:
        return sha256(self.blob)

    def limits_for(self, *, arch: str, compute: str, codec: str, device: str) -> Limits:
        """The limits of one kind of work on a torch device such as ``cpu`` or ``cuda:0``. Raises
        NotCalibrated."""
        kind = device.partition(":")[0]
        for item in self.limits:
            if (item.arch, item.compute, item.codec) == (arch, compute, codec) and kind in item.devices:
                return item
        raise NotCalibrated(f"{arch} in {compute} as {codec} on {kind}")


@cache
def default_policy() -> Policy:
    """The policy that is shipped: limits measured by ``pot experiment verification``."""
    return Policy.parse(files("protocol").joinpath("default_policy.json").read_bytes())


def load_policy(name: Sha256, blobs: BlobStore) -> Policy:
    """The policy of that hash, shipped or stored. Raises InvalidInput, BlobMissing, BlobCorrupt,
    ServiceUnreachable."""
    if name == default_policy().hash:
        return default_policy()
    return _parsed(blobs.get(name, MAX_POLICY_BYTES))


@cache
def _parsed(data: bytes) -> Policy:
    return Policy.parse(data)


def default_policy_sha256() -> str:
    """The shipped policy's hash as specs write it."""
    return default_policy().hash.hex()
