"""From differences between honest executions to the limits of a policy: nothing here computes a gradient.

Limits are MARGIN times what was seen, and never so small that a single rounding tie of a tiny model breaks
them. They are derived from one half of the measurements and tried on the other.
"""

from dataclasses import dataclass
from typing import Final, Literal

from protocol.policy import PPM, Device, Limits
from worker.training.codec import CodecName
from worker.training.tolerance import Difference, Zone, judge

MARGIN: Final = 2
Arch = Literal["mlp", "cnn", "transformer"]
Compute = Literal["float64", "float32"]

_EXACT_BLOCK: Final = 2
_TOLERANT_BLOCK: Final = 8
_EXACT_SPARE: Final = 2
_TOLERANT_SPARE: Final = 4
# One code at the top of its block's range, in a gradient that is little more than that block.
_LEAST_L2_PPB: Final[dict[CodecName, int]] = {"int8": 8_000_000, "int16": 40_000, "float32": 200}
# What bfloat16 instead of float32 changes at least; one kinked activation does less (1.2e-3 was seen).
_DOUBTFUL_L2_PPB: Final[dict[CodecName, int]] = {"int8": 10_000_000, "int16": 10_000_000, "float32": 0}
# Nothing jumps in a smooth model: there, doubt begins and ends far below bfloat16.
_SMOOTH: Final = ("transformer",)
_SMOOTH_DOUBT_PPB: Final = 1_000_000
_LEAST_DOUBT_PPM: Final = 1_000


def offered(compute: Compute, codec: CodecName) -> bool:
    """Whether there can be limits: 24-bit codes of float32 arithmetic are noise in a third of all places."""
    return not (compute == "float32" and codec == "float32")


def provisional(arch: Arch, compute: Compute, codec: CodecName, device: Device) -> Limits:
    """Limits that decide only what a stray block is; everything passes as near."""
    exact = compute == "float64"
    return Limits(
        arch=arch,
        compute=compute,
        codec=codec,
        devices=(device,),
        hardware_class="exact" if exact else "tolerant",
        spare_codes=2**31,
        codes_ppm=PPM,
        block_codes=_EXACT_BLOCK if exact else _TOLERANT_BLOCK,
        spare_blocks=2**31,
        blocks_ppm=PPM,
        near_l2_ppb=10**9,
        doubtful_l2_ppb=10**9,
        doubtful_ppm=PPM,
        checks=0,
    )


@dataclass(slots=True, kw_only=True)
class Noise:
    """What was seen in one kind of work: counts over all checks, and the largest of each measure.

    ``flips`` are checks in float32 that are further off than rounding leads: an activation on the other side
    of its kink. They shape the share of doubt and no other limit.
    """

    limits: Limits
    checks: int = 0
    equal: int = 0
    codes: int = 0
    differing: int = 0
    max_differing_ppm: int = 0
    max_level: int = 0
    max_block: int = 0
    max_scattered_ppm: int = 0
    max_stray: int = 0
    max_stray_ppm: int = 0
    max_l2_ppb: int = 0
    max_rounding_l2_ppb: int = 0
    flips: int = 0

    def add_equal(self, checks: int, total: int) -> None:
        """Checks in which every code of ``total`` was the same."""
        self.checks += checks
        self.equal += checks
        self.codes += checks * total

    def add(self, found: Difference) -> None:
        """One check in which something differed."""
        made = judge(found, self.limits)
        self.checks += 1
        self.codes += made.total
        self.differing += made.differing
        self.max_differing_ppm = max(self.max_differing_ppm, made.differing_ppm)
        self.max_level = max(self.max_level, made.max_level)
        self.max_block = max(self.max_block, int(found.counts.max()))
        self.max_l2_ppb = max(self.max_l2_ppb, made.l2_ppb)
        if self._is_flip(made.l2_ppb):
            self.flips += 1
            return
        self.max_scattered_ppm = max(self.max_scattered_ppm, -(-made.scattered * PPM // made.total))
        self.max_stray = max(self.max_stray, made.stray)
        self.max_stray_ppm = max(self.max_stray_ppm, -(-max(0, made.stray - 1) * PPM // found.counts.size))
        self.max_rounding_l2_ppb = max(self.max_rounding_l2_ppb, made.l2_ppb)

    def _is_flip(self, l2_ppb: int) -> bool:
        return self.limits.hardware_class == "tolerant" and l2_ppb > _LEAST_L2_PPB[self.limits.codec]

    def merged(self, other: "Noise") -> "Noise":
        """Both together; they are of one kind of work."""
        sums = {
            name: getattr(self, name) + getattr(other, name)
            for name in ("checks", "equal", "codes", "differing", "flips")
        }
        peaks = {
            name: max(getattr(self, name), getattr(other, name))
            for name in (
                *("max_differing_ppm", "max_level", "max_block", "max_scattered_ppm", "max_stray"),
                *("max_stray_ppm", "max_l2_ppb", "max_rounding_l2_ppb"),
            )
        }
        return Noise(limits=self.limits, **sums, **peaks)


def derive(noise: Noise) -> Limits:
    """The limits that MARGIN times this noise stays within."""
    base, exact = noise.limits, noise.limits.hardware_class == "exact"
    near = max(MARGIN * noise.max_rounding_l2_ppb, _LEAST_L2_PPB[base.codec])
    doubtful = _DOUBTFUL_L2_PPB[base.codec]
    if base.arch in _SMOOTH:
        doubtful = min(doubtful, _SMOOTH_DOUBT_PPB)
    doubt = max(MARGIN * -(-noise.flips * PPM // max(1, noise.checks)), _LEAST_DOUBT_PPM)
    return Limits(
        arch=base.arch,
        compute=base.compute,
        codec=base.codec,
        devices=base.devices,
        hardware_class=base.hardware_class,
        spare_codes=_EXACT_SPARE if exact else _TOLERANT_SPARE,
        codes_ppm=min(PPM, MARGIN * noise.max_scattered_ppm),
        block_codes=base.block_codes,
        spare_blocks=0 if exact and not noise.max_stray else MARGIN,
        blocks_ppm=min(PPM, MARGIN * noise.max_stray_ppm),
        near_l2_ppb=min(10**9, near),
        doubtful_l2_ppb=0 if exact else max(near, doubtful),
        doubtful_ppm=0 if exact else min(PPM, doubt),
        checks=noise.checks,
    )


@dataclass(slots=True, kw_only=True)
class Trial:
    """Limits tried on honest work that they were not derived from."""

    limits: Limits
    checks: int = 0
    doubtful: int = 0
    misses: int = 0

    def add(self, found: Difference) -> Zone:
        """One check."""
        zone = judge(found, self.limits).zone
        self.checks += 1
        self.doubtful += zone is Zone.DOUBTFUL
        self.misses += zone is Zone.MISS
        return zone

    @property
    def miss_bound(self) -> float:
        """An upper bound of the false positive rate at 95 % confidence; with no miss the rule of three."""
        return upper_bound(self.misses, self.checks)


def upper_bound(events: int, checks: int) -> float:
    """The rate above which so few events in ``checks`` independent ones have a probability below 5 %: 3 / n
    for none (Hanley and Lippman-Hand 1983); else the normal approximation to the Poisson tail, rounded up."""
    if not checks:
        return 1.0
    if not events:
        return min(1.0, 3.0 / checks)
    return float(min(1.0, (events + 1.645 * (events + 1) ** 0.5 + 1.645**2 / 2 + 1) / checks))
