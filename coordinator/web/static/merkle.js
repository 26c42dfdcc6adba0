// OpenZeppelin's standard tree: leaves hashed twice, pairs sorted, an empty list has the root zero.
import { AbiCoder, concat, keccak256, ZeroHash } from "ethers";

const coder = AbiCoder.defaultAbiCoder();

export function leafHash(types, values) {
  return keccak256(keccak256(coder.encode(types, values)));
}

function pair(a, b) {
  return keccak256(a < b ? concat([a, b]) : concat([b, a]));
}

/** The root over leaves: the tree is filled from its end with the sorted leaf hashes. */
export function root(types, leaves) {
  if (leaves.length === 0) return ZeroHash;
  const hashes = leaves.map((leaf) => leafHash(types, leaf)).sort();
  const tree = new Array(2 * hashes.length - 1);
  hashes.forEach((hash, place) => (tree[tree.length - 1 - place] = hash));
  for (let place = tree.length - 1 - hashes.length; place >= 0; place--) tree[place] = pair(tree[2 * place + 1], tree[2 * place + 2]);
  return tree[0];
}

/** Where a proof leads from a leaf. */
export function climb(types, leaf, proof) {
  return proof.reduce(pair, leafHash(types, leaf));
}
