// Checks of one certificate, by this browser's own arithmetic. Each check is {ok, text}.
import { dataSlice, getAddress, recoverAddress, sha256, Signature, TypedDataEncoder } from "ethers";
import { amount } from "./dom.js";
import { climb, root } from "./merkle.js";

const CONTRIBUTION_LEAF = ["uint32", "uint32", "address", "bytes32", "bytes32"];
const FAULT_LEAF = ["uint32", "uint32", "address", "bytes32"];
const BATCH_LEAF = ["uint32", "bytes32"];
const PAYOUT_LEAF = ["address", "uint256"];
const SIGNATURE_BYTES = 64;
const BLS_BYTES = 96;

const same = (a, b) => String(a).toLowerCase() === String(b).toLowerCase();

/** The members whose bit is set, ascending. */
function signersOf(members, bitmap) {
  return members.filter((_, place) => (BigInt(bitmap) >> BigInt(place)) & 1n);
}

function digestOf(evidence, kind, value) {
  return TypedDataEncoder.hash(evidence.domain, { [kind]: evidence.types[kind] }, value);
}

/** A quorum of the committee signed exactly this certificate. */
async function checkSignatures(evidence, checks) {
  const { members, signers, signatures, quorum } = evidence;
  const named = signersOf(members, signers);
  const bytes = (signatures.length - 2) / 2;
  checks.push({ ok: named.length >= quorum && quorum * 3 > members.length * 2 - 1, text: `${named.length} of ${members.length} members signed; ${quorum} are needed.` });
  const digest = digestOf(evidence, "RoundCertificate", evidence.certificate);
  if (bytes === BLS_BYTES) {
    await checkAggregate(evidence, named, digest, checks);
    return;
  }
  checks.push({ ok: bytes === named.length * SIGNATURE_BYTES, text: `There are ${bytes} bytes of signatures.` });
  named.forEach((member, place) => {
    let by = "nobody";
    try {
      const compact = dataSlice(signatures, place * SIGNATURE_BYTES, (place + 1) * SIGNATURE_BYTES);
      by = recoverAddress(digest, Signature.from(compact));
    } catch {
      // A signature that is none was made by nobody.
    }
    checks.push({ ok: same(by, member), text: same(by, member) ? `${member} signed it.` : `The signature of ${member} is by ${by}.` });
  });
}

/** One BLS sum stands for the signatures of all who are named. */
async function checkAggregate(evidence, named, digest, checks) {
  const { isSignedBy } = await import("./bls.js");
  const keys = named.map((member) => evidence.keys[member] ?? "0x");
  const ok = isSignedBy(digest, evidence.signatures, keys);
  const who = `${named.length} members whose BLS keys are ${keys.map((key) => `${key.slice(0, 10)}…`).join(", ")}`;
  checks.push({ ok, text: ok ? `The signature is the BLS sum of ${who}.` : `The signature is not the BLS sum of ${who}.` });
}

/** The segment record is the one that the certificate names, and leads to its three roots. */
function checkRecord(evidence, bytes, checks) {
  const { certificate } = evidence;
  const digest = sha256(bytes);
  checks.push({ ok: same(digest, certificate.segment), text: `The segment record has the sha256 ${digest.slice(2, 14)}…, ${same(digest, certificate.segment) ? "as certified" : "another than certified"}.` });
  const record = JSON.parse(new TextDecoder().decode(bytes));
  const leaves = [];
  for (const { contributions } of record.rounds) {
    for (const item of contributions) leaves.push(checkContribution(evidence, item, checks));
  }
  const roots = [
    ["contributions", root(CONTRIBUTION_LEAF, leaves), certificate.contributionsRoot, `${leaves.length} contributions`],
    ["faults", root(FAULT_LEAF, record.faults.map((item) => [item.round, item.shard, getAddress(item.miner), `0x${item.gradient}`])), certificate.faultsRoot, `${record.faults.length} faults`],
    ["payouts", root(PAYOUT_LEAF, record.payouts), certificate.payoutsRoot, `${record.payouts.length} payouts`],
  ];
  for (const [name, found, certified, what] of roots) {
    checks.push({ ok: same(found, certified), text: `The root over ${what} is ${same(found, certified) ? "the certified one" : `not the certified root of ${name}`}.` });
  }
  const total = record.payouts.reduce((sum, [, units]) => sum + BigInt(units), 0n);
  checks.push({ ok: total === BigInt(certificate.paidTotal), text: `The payouts add up to ${amount(total)}${total === BigInt(certificate.paidTotal) ? "" : `, ${amount(certificate.paidTotal)} are certified`}.` });
}

/** Its miner signed a contribution; the leaf. Only failures are told one by one. */
function checkContribution(evidence, item, checks) {
  const words = evidence.types.Contribution.map(({ name, type }) => {
    const found = item[name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)];
    if (Array.isArray(found)) return [name, root(BATCH_LEAF, found.map((hash, place) => [place, `0x${hash}`]))];
    return [name, type.startsWith("bytes") ? `0x${found}` : found];
  });
  const value = Object.fromEntries(words);
  const digest = digestOf(evidence, "Contribution", value);
  let by = "nobody";
  try {
    by = recoverAddress(digest, item.signature);
  } catch {
    // Likewise.
  }
  if (!same(by, item.miner)) checks.push({ ok: false, text: `The contribution to round ${item.round} shard ${item.shard} is not signed by ${item.miner}.` });
  return [item.round, item.shard, item.miner, `0x${item.gradient}`, digest];
}

function checkProofs(evidence, checks) {
  const { proofs, payouts, certificate } = evidence;
  const wrong = proofs.filter(({ account, cumulative, proof }) => {
    try {
      return !same(climb(PAYOUT_LEAF, [account, cumulative], proof), certificate.payoutsRoot);
    } catch {
      return true;
    }
  });
  for (const { account } of wrong) checks.push({ ok: false, text: `The Merkle proof of ${account} does not lead to the certified payouts.` });
  checks.push({ ok: wrong.length === 0 && proofs.length > 0, text: `${proofs.length - wrong.length} of ${proofs.length} Merkle proofs lead to the certified payouts${payouts > proofs.length ? ` (of ${payouts} payouts)` : ""}.` });
}

/** All checks; `expected` is {chainId, market} of this network, `bytes` the segment record. */
export async function check(evidence, bytes, expected) {
  const checks = [];
  const { domain } = evidence;
  checks.push({ ok: BigInt(domain.chainId) === BigInt(expected.chainId) && same(domain.verifyingContract, expected.market), text: `It is for the market ${domain.verifyingContract} on chain ${domain.chainId}.` });
  await checkSignatures(evidence, checks);
  checkProofs(evidence, checks);
  try {
    checkRecord(evidence, bytes, checks);
  } catch (error) {
    checks.push({ ok: false, text: `The segment record cannot be read: ${error.message}` });
  }
  return checks;
}
