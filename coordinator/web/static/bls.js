// BLS12-381 aggregates, as the contract checks them: keys in G2, signatures in G1, points as their coordinates of 48
// bytes each (EIP-2537 without its padding), hashing by RFC 9380. All zero is infinity, which is nobody's.
import { bls12_381 as curve } from "@noble/curves/bls12-381";

const TAG = "BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_POP_";
const SIGNATURE_BYTES = 96;
const KEY_BYTES = 192;
const FIELD_DIGITS = 96;

function numbers(hex, bytes) {
  const digits = hex.replace(/^0x/, "");
  if (digits.length !== 2 * bytes || !/^[0-9a-fA-F]*$/.test(digits)) throw new Error(`${bytes} bytes of a point are needed`);
  if (/^0*$/.test(digits)) throw new Error("infinity is nobody's key and nobody's signature");
  return digits.match(new RegExp(`.{${FIELD_DIGITS}}`, "g")).map((part) => {
    const value = BigInt(`0x${part}`);
    if (value >= curve.fields.Fp.ORDER) throw new Error("a coordinate is no element of the field");
    return value;
  });
}

/** A point of G1 from 96 bytes. Throws unless it is on the curve and in the subgroup. */
export function signaturePoint(hex) {
  const [x, y] = numbers(hex, SIGNATURE_BYTES);
  const point = curve.G1.ProjectivePoint.fromAffine({ x, y });
  point.assertValidity();
  return point;
}

/** A point of G2 from 192 bytes: x.c0, x.c1, y.c0, y.c1. Likewise. */
export function keyPoint(hex) {
  const [x0, x1, y0, y1] = numbers(hex, KEY_BYTES);
  const { Fp2 } = curve.fields;
  const point = curve.G2.ProjectivePoint.fromAffine({ x: Fp2.fromBigTuple([x0, x1]), y: Fp2.fromBigTuple([y0, y1]) });
  point.assertValidity();
  return point;
}

/** Where a message of bytes (0x hex) is hashed to. */
export function hashed(message, tag = TAG) {
  const digits = message.replace(/^0x/, "");
  const bytes = Uint8Array.from(digits.match(/../g) ?? [], (pair) => parseInt(pair, 16));
  return curve.G1.ProjectivePoint.fromAffine(curve.G1.hashToCurve(bytes, { DST: tag }).toAffine());
}

/** The 96 bytes of a point of G1. */
export function packed(point) {
  const { x, y } = point.toAffine();
  return `0x${[x, y].map((value) => value.toString(16).padStart(FIELD_DIGITS, "0")).join("")}`;
}

/** Whether `signature` over `digest` is the sum of one signature by each of `keys`: e(signature, -generator) and
 * e(hash, sum of keys) multiply to one. Anything malformed is false. */
export function isSignedBy(digest, signature, keys, tag = TAG) {
  try {
    if (keys.length === 0) return false;
    const sum = keys.map(keyPoint).reduce((total, key) => total.add(key));
    if (sum.equals(curve.G2.ProjectivePoint.ZERO)) return false;
    const pairs = [
      { g1: signaturePoint(signature), g2: curve.G2.ProjectivePoint.BASE.negate() },
      { g1: hashed(digest, tag), g2: sum },
    ];
    const { Fp12 } = curve.fields;
    return Fp12.eql(curve.pairingBatch(pairs), Fp12.ONE);
  } catch {
    return false;
  }
}
