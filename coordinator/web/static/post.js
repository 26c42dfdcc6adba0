// Posting a task: a draft that survives reloads, a quote from the code of `pot task quote`, one signature.
import { amount, ask, byId, h, network, notify, posted, told as toldBy } from "./dom.js";
import { account, allow, connect, contracts, send, sentence, signTyped } from "./wallet.js";

const KEY = "pot.draft";
const PERMIT_LIFE_S = 1200;
const form = byId("draft");
let kept = JSON.parse(localStorage.getItem(KEY) ?? "{}"); // {values, extra, dataset}
let quoted = null; // the draft that the shown quote is for

function fields() {
  return [...form.elements].filter((item) => item.name && item.type !== "file");
}

function save() {
  kept.values = Object.fromEntries(fields().map((item) => [item.name + archOf(item), item.value]));
  localStorage.setItem(KEY, JSON.stringify(kept));
}

/** Fields of two architectures may have one name. */
function archOf(item) {
  const arch = item.closest("[data-arch]")?.dataset.arch;
  return arch ? `@${arch}` : "";
}

function arrange() {
  const arch = form.elements["model.arch"].value;
  for (const part of form.querySelectorAll("[data-arch]")) {
    part.hidden = part.dataset.arch !== arch;
    for (const item of part.querySelectorAll("input")) item.disabled = part.hidden;
  }
  const from = form.elements["dataset.from"].value;
  for (const part of form.querySelectorAll("[data-from]")) {
    part.hidden = part.dataset.from !== from;
    for (const item of part.querySelectorAll("input, select")) item.disabled = part.hidden;
  }
}

function put(document, path, value) {
  const names = path.split(".");
  let place = document;
  for (const name of names.slice(0, -1)) place = place[name] ??= {};
  place[names.at(-1)] = value;
}

/** The draft as `pot task post` takes it. A chosen file is uploaded first; its hash is what the draft names. */
async function draft() {
  const document = structuredClone(kept.extra ?? {});
  for (const item of fields()) {
    if (item.disabled || item.name.startsWith("dataset.") || item.value === "") continue;
    put(document, item.name, item.dataset.kind === "integer" ? Number(item.value) : item.value);
  }
  const from = form.elements["dataset.from"].value;
  const value = (name) => form.elements[`dataset.${name}`].value;
  if (from === "source") document.dataset = { source: value("source") };
  else if (from === "sha256") document.dataset = { sha256: value("sha256"), kind: value("kind"), name: kept.extra?.dataset?.name ?? "stored" };
  else document.dataset = await uploaded();
  return document;
}

async function uploaded() {
  const [file] = form.elements["dataset.file"].files;
  if (!file) {
    if (kept.dataset) return kept.dataset;
    throw new Error("Choose the file of your data set.");
  }
  const query = new URLSearchParams({ label: form.elements["dataset.label"].value, scale: form.elements["dataset.scale"].value });
  const told = await toldBy(`/wallet/datasets/${encodeURIComponent(file.name)}?${query}`, { method: "PUT", body: file });
  kept.dataset = told.data;
  save();
  return told.data;
}

function fill(document) {
  for (const item of fields()) {
    const found = item.name.split(".").reduce((place, name) => place?.[name], document);
    if (found !== undefined && typeof found !== "object") item.value = String(found);
  }
  for (const name of ["reward_per_shard", "fee_per_round", "miner_stake", "slash_per_fault"]) {
    const item = form.elements[`money.${name}`];
    if (/^[0-9]{10,}$/.test(item.value)) item.value = amount(item.value).replaceAll(",", "");
  }
  if (document.dataset?.sha256) form.elements["dataset.from"].value = "sha256";
  kept = { extra: document };
  save();
}

function problem(text) {
  byId("problem").replaceChildren(text ? h("p", { class: "note" }, text) : "");
}

async function quote(detect = null) {
  problem("");
  const document = await draft();
  const told = await posted("/wallet/quotes", detect === null ? { draft: document } : { draft: document, detect });
  if (told.data.wish) form.elements["verification.sample_ppm"].value = told.data.wish.sample_ppm;
  save();
  quoted = told.data.wish ? await draft() : document;
  byId("quote").textContent = told.lines.join("\n");
  byId("dialled").textContent = `${(told.data.detection_by_cheated_shards["1"] * 100).toPrecision(4)} %`;
  byId("gas").textContent = `Escrow ${amount(told.data.escrow)}. About ${told.data.gas.create.toLocaleString("en-US")} gas to create.`;
  byId("offer").hidden = false;
  return told;
}

/** The dial counts in steps towards certainty: 0 -> 50 %, 60 -> 99.9 %. */
function wanted() {
  const step = Number(byId("dial").value);
  return `${(100 * (1 - 0.5 * (0.002 ** (step / 60)))).toFixed(4)}%`;
}

async function guarded(act) {
  try {
    return await act();
  } catch (error) {
    problem(await sentence(error));
    return null;
  }
}

function permit(token, name, owner, value, nonce, deadline) {
  const words = (text) => text.split(" ").map((pair) => ({ type: pair.split(":")[0], name: pair.split(":")[1] }));
  return {
    domain: { name, version: "1", chainId: network.chainId, verifyingContract: token },
    primaryType: "Permit",
    types: {
      EIP712Domain: words("string:name string:version uint256:chainId address:verifyingContract"),
      Permit: words("address:owner address:spender uint256:value uint256:nonce uint256:deadline"),
    },
    message: { owner, spender: network.contracts.market, value, nonce, deadline },
  };
}

async function signAndPost() {
  if (account() === null && (await connect()) === null) return;
  const owner = account();
  const { data } = await posted("/wallet/drafts", { draft: quoted });
  // What is signed is what is shown: the hash is computed here.
  const { ethers } = await contracts();
  if (ethers.sha256(ethers.toUtf8Bytes(data.spec)) !== `0x${data.spec_hash}`) throw new Error("The coordinator named another spec than it showed. Do not sign.");
  if (`0x${data.spec_hash}` !== data.params[0]) throw new Error("The coordinator's task names another spec. Do not sign.");
  const state = await ask(`/wallet/accounts/${owner}`);
  if (BigInt(state.token) < BigInt(data.escrow)) throw new Error(shortOf(data.escrow, state.token));
  if (BigInt(state.coin) === 0n) throw new Error(`Your account has no coin to pay gas with.${network.local ? " The faucet above gives some." : ""}`);
  const label = `Post “${form.elements.title.value}”`;
  let call = null;
  if (!byId("approve").checked) call = await permitted(owner, data, state, label);
  if (call === null) {
    await allow(network.contracts.market, data.escrow, "the escrow");
    call = { contract: "market", function: "createTask", arguments: [data.params], label };
  }
  const fate = await send(call);
  if (fate.task_id) location.assign(`/task/${fate.task_id}`);
}

/** The call with a permit; null when the wallet cannot sign typed data. */
async function permitted(owner, data, state, label) {
  const deadline = String(state.now + PERMIT_LIFE_S);
  let signature;
  try {
    notify("Sign the permit in the wallet. It moves nothing by itself.", { kind: "wait", key: "permit" });
    signature = await signTyped(permit(network.contracts.token, state.token_name, owner, data.escrow, state.permit_nonce, deadline));
  } catch (error) {
    if (![-32601, -32004, 4200].includes(error?.code)) throw error;
    notify("This wallet cannot sign a permit, so the escrow is approved first.", { key: "permit" });
    return null;
  } finally {
    document.querySelector('[data-key="permit"].wait')?.remove();
  }
  const { ethers } = await contracts();
  const { v, r, s } = ethers.Signature.from(signature);
  return { contract: "market", function: "createTaskWithPermit", arguments: [data.params, [data.escrow, deadline, v, r, s]], label };
}

function shortOf(needed, held) {
  const missing = amount(BigInt(needed) - BigInt(held));
  return `The escrow needs ${amount(needed)}, your account holds ${amount(held)}: ${missing} are missing.${network.local ? " The faucet above gives some." : ""}`;
}

if (location.hash.startsWith("#draft=")) {
  try {
    const bytes = Uint8Array.from(atob(location.hash.slice(7).replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));
    fill(JSON.parse(new TextDecoder().decode(bytes)));
    history.replaceState(null, "", location.pathname);
  } catch {
    problem("The link holds no draft that can be read.");
  }
} else {
  for (const item of fields()) item.value = kept.values?.[item.name + archOf(item)] ?? item.value;
}
arrange();
form.addEventListener("input", () => {
  arrange();
  save();
  byId("offer").hidden = true;
});
form.addEventListener("submit", (event) => {
  event.preventDefault();
  guarded(() => quote());
});
byId("dial").addEventListener("change", () => guarded(() => quote(wanted())));
byId("dial").addEventListener("input", (event) => {
  event.stopPropagation();
  byId("dialled").textContent = wanted();
});
byId("reset").addEventListener("click", () => {
  localStorage.removeItem(KEY);
  location.reload();
});
byId("sign").addEventListener("click", async () => {
  byId("sign").disabled = true;
  problem("");
  await guarded(signAndPost);
  byId("sign").disabled = false;
});
document.body.dataset.form = "ready";
