// The certificate checker: fetch the evidence, check it here, and say what was found, each check by itself.
import { ask, byId, h, network } from "./dom.js";
import { contracts, provider } from "./wallet.js";

const form = byId("checker");

/** The certificate that the chain holds, asked through the reader's own wallet; null without one. */
async function onChain(evidence) {
  const wallet = provider();
  if (wallet === null) return null;
  const receipt = await wallet.request({ method: "eth_getTransactionReceipt", params: [evidence.tx_hash] }).catch(() => null);
  const { market } = await contracts();
  for (const log of receipt?.logs ?? []) {
    if (log.address.toLowerCase() !== network.contracts.market.toLowerCase()) continue;
    const told = market.interface.parseLog(log);
    if (told?.name === "CertificateAccepted" && String(told.args.certificate.lastRound) === evidence.certificate.lastRound) return told.args.certificate;
  }
  return { missing: true };
}

async function chainCheck(evidence) {
  const found = await onChain(evidence);
  if (found === null) return { ok: true, text: "Not compared with the chain: connect a wallet, and its own node is asked." };
  const names = evidence.types.RoundCertificate.map((field) => field.name);
  const differs = found.missing ? "there" : names.find((name) => String(found[name]).toLowerCase() !== String(evidence.certificate[name]).toLowerCase());
  return differs === undefined ? { ok: true, text: "Your wallet's node has the same certificate on the chain." } : { ok: false, text: `Your wallet's node has another certificate: ${differs} differs.` };
}

/** The BLS keys are those that the contract has for the members; asked through the reader's own wallet. */
async function keyCheck(evidence) {
  const told = Object.entries(evidence.keys);
  const wallet = provider();
  if (told.length === 0) return [];
  if (wallet === null) return [{ ok: true, text: "The BLS keys are the coordinator's word: connect a wallet, and its own node is asked for them." }];
  const { keys, committee } = await contracts();
  const call = async (to, contract, name, values) => {
    const data = contract.interface.encodeFunctionData(name, values);
    const found = await wallet.request({ method: "eth_call", params: [{ to, data }, "latest"] });
    return contract.interface.decodeFunctionResult(name, found)[0];
  };
  const book = await call(committee.address, committee, "KEYS", []);
  for (const [member, key] of told) {
    const known = await call(book, keys, "keyOf", [member]);
    if (known.toLowerCase() !== key.toLowerCase()) return [{ ok: false, text: `Your wallet's node has another BLS key for ${member}.` }];
  }
  return [{ ok: true, text: "Your wallet's node has the same BLS keys in the contract, where their possession was proven." }];
}

async function run(task, round) {
  const { check } = await import("./certificate.js");
  const evidence = await ask(`/evidence/${task}${round ? `?round=${round}` : ""}`);
  const answer = await fetch(`/blobs/${evidence.certificate.segment.slice(2)}`);
  const bytes = new Uint8Array(answer.ok ? await answer.arrayBuffer() : 0);
  const checks = await check(evidence, bytes, { chainId: network.chainId, market: network.contracts.market });
  return { evidence, checks: [...checks, await chainCheck(evidence), ...(await keyCheck(evidence))] };
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const place = byId("verdict");
  const values = new FormData(form);
  place.replaceChildren(h("p", {}, "Checking…"));
  try {
    const { evidence, checks } = await run(values.get("task"), values.get("round"));
    const wrong = checks.filter((item) => !item.ok);
    const { firstRound, lastRound } = evidence.certificate;
    const title = `Rounds ${firstRound} to ${lastRound} of task ${evidence.certificate.taskId}: `;
    const said = wrong.length === 0 ? `all ${checks.length} checks passed.` : `${wrong.length} of ${checks.length} checks FAILED.`;
    const items = checks.map((item) => h("li", { class: item.ok ? "good" : "bad" }, `${item.ok ? "✓" : "✗"} ${item.text}`));
    place.replaceChildren(h("p", { class: `notice ${wrong.length ? "bad" : "good"}`, id: "outcome" }, title + said), h("ul", { class: "checks" }, ...items));
  } catch (error) {
    place.replaceChildren(h("p", { class: "notice bad", id: "outcome" }, error.message));
  }
});
document.body.dataset.checker = "ready";
