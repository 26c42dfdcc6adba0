import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from worker.training.codec import (
    BLOCK,
    MIN_EXPONENT,
    CodecName,
    decode,
    decode_codes,
    encode,
    gradient_manifest,
    quantise,
)
from worker.training.errors import BlobRejected, Diverged
from worker.training.models import Layout, Parameter
from worker.training.tensors import safe_load, safe_save

LAYOUT = Layout(
    parameters=(
        Parameter(name="w", shape=(3, 50)),
        Parameter(name="b", shape=(7,)),
        Parameter(name="v", shape=(2 * BLOCK,)),
    )
)
CODECS: list[CodecName] = ["int8", "int16", "float32"]
BITS = {"int8": 7, "int16": 15}
values = st.one_of(
    st.floats(-1e30, 1e30),
    st.floats(-1e-3, 1e-3),
    st.sampled_from([0.0, -0.0, 2.0**-149, -(2.0**-140), 1.0, 127.5, -0.5, 2.0**-1074]),
)
gradients = hnp.arrays(np.float64, LAYOUT.size, elements=values, fill=st.just(0.0))


@settings(max_examples=60, deadline=None)
@given(gradient=gradients, codec=st.sampled_from(CODECS))
def test_codec__any_finite_gradient__is_a_fixed_point_after_one_rounding(
    gradient: np.ndarray, codec: CodecName
) -> None:
    blob = encode(codec, LAYOUT, gradient)
    decoded = decode(codec, LAYOUT, blob)
    assert decoded.dtype == np.float32
    assert encode(codec, LAYOUT, decoded) == blob
    assert encode(codec, LAYOUT, decoded.astype(np.float64)) == blob


@settings(max_examples=60, deadline=None)
@given(gradient=gradients, codec=st.sampled_from(["int8", "int16"]))
def test_codec__any_finite_gradient__errs_by_at_most_one_quantum_of_its_block(
    gradient: np.ndarray, codec: CodecName
) -> None:
    decoded = decode(codec, LAYOUT, encode(codec, LAYOUT, gradient)).astype(np.float64)
    floor = max(np.abs(gradient).max() * 2.0**-31, 2.0**-149)
    for where in LAYOUT.slices().values():
        for first in range(where.start, where.stop, BLOCK):
            part = slice(first, min(first + BLOCK, where.stop))
            quantum = max(np.abs(gradient[part]).max() * 2.0 ** (1 - BITS[codec]), floor)
            assert float(np.abs(gradient[part] - decoded[part]).max()) <= quantum


@settings(max_examples=100, deadline=None)
@given(
    place=st.integers(0, 10_000),
    byte=st.integers(0, 255),
    codec=st.sampled_from(CODECS),
    seed=st.integers(0, 9),
)
def test_decode__one_byte_changed__is_rejected_or_stays_a_canonical_gradient(
    place: int, byte: int, codec: CodecName, seed: int
) -> None:
    blob = bytearray(encode(codec, LAYOUT, np.random.default_rng(seed).normal(size=LAYOUT.size)))
    blob[place % len(blob)] = byte
    try:
        decoded = decode(codec, LAYOUT, bytes(blob))
    except BlobRejected:
        return
    assert bool(np.isfinite(decoded).all())
    assert np.array_equal(decode(codec, LAYOUT, encode(codec, LAYOUT, decoded)), decoded)


def one_block(*leading: float) -> np.ndarray:
    gradient = np.zeros(LAYOUT.size)
    gradient[: len(leading)] = leading
    return gradient


def test_quantise__ties__go_to_even_codes() -> None:
    grid = quantise(7, LAYOUT, one_block(64.0, 0.5, 1.5, 2.5, -0.5, -1.5))
    assert grid.exponents[0] == 0
    assert grid.codes[0, :6].tolist() == [64, 0, 2, 2, 0, -2]


def test_quantise__peak_that_rounds_beyond_the_range__saturates() -> None:
    grid = quantise(7, LAYOUT, one_block(127.9, -127.6))
    assert grid.codes[0, :2].tolist() == [127, -127]


def test_quantise__block_of_noise_beside_a_large_one__becomes_zeros() -> None:
    gradient = np.zeros(LAYOUT.size)
    gradient[:3], gradient[150:157] = 1.0, 1e-17
    grid = quantise(15, LAYOUT, gradient)
    assert not grid.codes[3].any()
    assert grid.exponents[3] == MIN_EXPONENT


def test_quantise__only_subnormals__keeps_them_exactly() -> None:
    gradient = one_block(2.0**-149, -3 * 2.0**-149)
    assert decode("int8", LAYOUT, encode("int8", LAYOUT, gradient)).tolist() == gradient.tolist()


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 2.0**128])
def test_encode__value_that_is_no_float32__is_divergence(codec: CodecName, bad: float) -> None:
    with pytest.raises(Diverged):
        encode(codec, LAYOUT, one_block(1.0, bad))


def test_encode__largest_float32__survives() -> None:
    largest = float(np.finfo(np.float32).max)
    decoded = decode("int16", LAYOUT, encode("int16", LAYOUT, one_block(largest, -largest)))
    assert bool(np.isfinite(decoded).all())
    assert float(decoded[0]) > 0.99 * largest


def tampered(name: str, index: int, value: int, codec: CodecName = "int8") -> bytes:
    blob = encode(codec, LAYOUT, np.linspace(-1, 1, LAYOUT.size))
    tensors = {
        key: array.copy() for key, array in safe_load(blob, gradient_manifest(codec, LAYOUT), "x").items()
    }
    tensors[name][index] = value
    return safe_save(tensors)


def test_decode__asymmetric_code__is_rejected() -> None:
    with pytest.raises(BlobRejected, match="symmetric range"):
        decode("int8", LAYOUT, tampered("codes", 0, -128))


@pytest.mark.parametrize("exponent", [MIN_EXPONENT - 1, 122, -32_768, 32_767])
def test_decode__exponent_out_of_range__is_rejected(exponent: int) -> None:
    with pytest.raises(BlobRejected, match="exponent is out of range"):
        decode("int8", LAYOUT, tampered("exponents", 0, exponent))


def test_decode__block_not_scaled_to_its_peak__is_rejected() -> None:
    gradient = one_block(1.0)
    grid = decode_codes("int8", LAYOUT, encode("int8", LAYOUT, gradient))
    codes = np.zeros(LAYOUT.size, dtype=np.int8)
    codes[0] = int(grid.codes[0, 0]) // 2
    exponents = grid.exponents.astype(np.int16)
    exponents[0] += 1
    with pytest.raises(BlobRejected, match="not scaled"):
        decode("int8", LAYOUT, safe_save({"codes": codes, "exponents": exponents}))


def test_decode__block_below_the_floor__is_rejected() -> None:
    with pytest.raises(BlobRejected, match="below the floor"):
        decode("int8", LAYOUT, tampered("exponents", 1, 60))


def test_decode__zero_block_with_an_exponent__is_rejected() -> None:
    exponents = np.full(6, MIN_EXPONENT, dtype=np.int16)
    exponents[1] = 3
    with pytest.raises(BlobRejected, match="block of zeros"):
        decode("int8", LAYOUT, safe_save({"codes": np.zeros(LAYOUT.size, np.int8), "exponents": exponents}))


def test_decode__blob_of_another_codec__is_rejected() -> None:
    with pytest.raises(BlobRejected):
        decode("int8", LAYOUT, encode("int16", LAYOUT, one_block(1.0)))


def test_encode__int8_codes__are_a_quarter_of_float32() -> None:
    layout = Layout(parameters=(Parameter(name="w", shape=(100, 64)),))
    gradient = np.linspace(-1, 1, layout.size)
    sizes = {codec: len(encode(codec, layout, gradient)) for codec in CODECS}
    assert sizes["int8"] < 0.28 * sizes["float32"]
    assert sizes["int16"] < 0.53 * sizes["float32"]
