// The reader's wallet: found, asked, and told what to sign. Keys never come here.
import { amount, ask, byId, h, network, notify, post, posted } from "./dom.js";
import { forget, note, pending, sent, watch } from "./journal.js";
import { remember, remembered, wallets } from "./providers.js";

const USER_REJECTED = 4001;
const UNKNOWN_CHAIN = 4902;
const CHAIN_HEX = `0x${network.chainId.toString(16)}`;

let current = null; // {info, provider, account}
const listeners = [];

/** Called with the account (null: none) now and whenever it changes. */
export function onAccount(listener) {
  listeners.push(listener);
  listener(current?.account ?? null);
}

export const account = () => current?.account ?? null;

/** How the connected wallet is asked; null when none is. */
export const provider = () => current?.provider ?? null;

/** An error of a wallet as a sentence. */
export async function sentence(error) {
  const code = error?.code ?? error?.info?.error?.code;
  if (code === USER_REJECTED || code === "ACTION_REJECTED") return "You rejected this in the wallet: nothing was signed, nothing was sent.";
  const data = [error?.data?.data, error?.data?.originalError?.data, error?.data].find((item) => typeof item === "string" && /^0x[0-9a-fA-F]{8,}$/.test(item));
  if (data) {
    const told = await ask(`/wallet/reverts/${data.slice(0, 4000)}`).catch(() => null);
    if (told) return told.message;
  }
  if (code === -32002) return "The wallet already waits for you: open it and answer its question.";
  return String(error?.message ?? error).slice(0, 500);
}

async function choose() {
  const known = await wallets();
  if (known.length === 0) {
    notify("No wallet is installed in this browser. Install one that speaks EIP-6963, or use `pot task post` in a terminal.", { kind: "bad", key: "wallet" });
    return null;
  }
  if (known.length === 1) return known[0];
  return new Promise((resolve) => {
    const dialog = h("dialog", { "aria-labelledby": "choose" });
    const pick = (wallet) => () => {
      dialog.close();
      resolve(wallet);
    };
    const buttons = known.map((wallet) => h("button", { type: "button", class: "plain", onclick: pick(wallet) }, String(wallet.info.name)));
    dialog.append(h("h2", { id: "choose" }, "Which wallet?"), h("div", { class: "choices" }, ...buttons));
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(null);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

function use(wallet, accounts) {
  const [first] = accounts ?? [];
  current = first ? { ...wallet, account: first } : null;
  show();
  for (const listener of listeners) listener(current?.account ?? null);
}

function listen(wallet) {
  if (wallet.heard) return;
  wallet.heard = true;
  wallet.provider.on?.("accountsChanged", (accounts) => use(wallet, accounts));
  wallet.provider.on?.("chainChanged", show);
}

export async function connect() {
  const wallet = current ?? (await choose());
  if (wallet === null) return null;
  try {
    const accounts = await wallet.provider.request({ method: "eth_requestAccounts" });
    listen(wallet);
    remember(wallet);
    use(wallet, accounts);
  } catch (error) {
    notify(await sentence(error), { kind: "bad", key: "wallet" });
  }
  return current?.account ?? null;
}

/** Before consent a wallet tells no account; then the button stays. */
async function resume() {
  const wallet = await remembered();
  if (wallet === null) return;
  const accounts = await wallet.provider.request({ method: "eth_accounts" }).catch(() => []);
  if (accounts.length > 0) {
    listen(wallet);
    use(wallet, accounts);
  }
}

async function show() {
  const place = byId("wallet");
  if (current === null) {
    place.replaceChildren(h("button", { type: "button", id: "connect", onclick: connect }, "Connect wallet"));
    return;
  }
  const { account: who, provider } = current;
  const link = h("a", { href: `/account/${who}`, class: "mono", title: who }, `${who.slice(0, 8)}…${who.slice(-4)}`);
  const held = h("span", {}, "");
  place.replaceChildren(held, link);
  if (network.local) place.append(h("button", { type: "button", class: "plain", id: "faucet", onclick: faucet }, "Faucet"));
  const on = await provider.request({ method: "eth_chainId" }).catch(() => null);
  if (on !== null && BigInt(on) !== BigInt(network.chainId)) {
    place.append(h("button", { type: "button", id: "switch", onclick: () => ensureChain().then(show, complain) }, `Switch to chain ${network.chainId}`));
  }
  const state = await ask(`/wallet/accounts/${who}`).catch(() => null);
  if (state !== null) held.textContent = amount(state.token);
}

async function complain(error) {
  notify(await sentence(error), { kind: "bad", key: "wallet" });
}

async function faucet() {
  try {
    const told = await posted(`/wallet/faucet/${current.account}`, {});
    notify(told.lines[0], { key: "faucet" });
    await show();
  } catch (error) {
    await complain(error);
  }
}

/** Bring the wallet to this network's chain, adding it where it is unknown. Throws what the wallet throws. */
export async function ensureChain() {
  const { provider } = current;
  const on = async () => BigInt(await provider.request({ method: "eth_chainId" })) === BigInt(network.chainId);
  if (await on()) return;
  try {
    await provider.request({ method: "wallet_switchEthereumChain", params: [{ chainId: CHAIN_HEX }] });
  } catch (error) {
    if ((error?.code ?? error?.data?.originalError?.code) !== UNKNOWN_CHAIN || !network.rpc) throw error;
    const chain = {
      chainId: CHAIN_HEX,
      chainName: `Proof of Training (local ${network.chainId})`,
      rpcUrls: [network.rpc],
      nativeCurrency: { name: "Ether", symbol: "ETH", decimals: 18 },
    };
    await provider.request({ method: "wallet_addEthereumChain", params: [chain] });
    if (!(await on())) await provider.request({ method: "wallet_switchEthereumChain", params: [{ chainId: CHAIN_HEX }] });
  }
  if (!(await on())) throw new Error(`The wallet is on another chain. Switch it to chain ${network.chainId} and try again.`);
}

let abis = null;
let ethersModule = null;

/** ethers, and an Interface for each of our contracts by its name on this page. */
export async function contracts() {
  if (abis === null) {
    [ethersModule, abis] = await Promise.all([import("ethers"), ask(network.abi)]);
  }
  const { Interface } = ethersModule;
  const names = { market: "TrainingMarket", vault: "StakeVault", committee: "Committee", appeals: "Appeals", contest: "LearningContest", keys: "BlsKeys", token: "DevToken" };
  const made = Object.fromEntries(Object.entries(names).map(([key, name]) => [key, { interface: new Interface(abis[name]), address: network.contracts[key] }]));
  return { ethers: ethersModule, ...made };
}

/**
 * Have one call signed and sent. `call` is {contract, function, arguments, label}. It is tried out first, so a
 * refusal costs nothing. Resolves with its fate once it is mined; throws a sentence otherwise.
 */
export async function send(call) {
  if (current === null && (await connect()) === null) throw new Error("No wallet is connected.");
  const { provider, account: from } = current;
  await ensureChain();
  const target = (await contracts())[call.contract];
  const data = target.interface.encodeFunctionData(call.function, call.arguments);
  const { gas, refused } = await post("/wallet/dry-runs", { sender: from, to: target.address, data });
  if (refused) throw new Error(refused);
  const { nonce } = await ask(`/wallet/accounts/${from}`);
  const entry = note({ label: call.label, from, nonce, chainId: network.chainId, data });
  notify(`${call.label}: confirm it in the wallet (about ${gas.toLocaleString("en-US")} gas).`, { kind: "wait", key: entry.id });
  let hash;
  try {
    hash = await provider.request({ method: "eth_sendTransaction", params: [{ from, to: target.address, data, value: "0x0", gas: `0x${Math.ceil(gas * 1.25).toString(16)}` }] });
  } catch (error) {
    forget(entry.id);
    document.querySelector(`[data-key="${CSS.escape(entry.id)}"]`)?.remove();
    throw error;
  }
  sent(entry.id, hash, nonce);
  const fate = await watch({ ...entry, hash });
  show();
  if (fate.status !== "mined") throw new Error(fate.reason || `${call.label} did not happen.`);
  return fate;
}

/** Sign typed data (EIP-712). Throws what the wallet throws. */
export async function signTyped(document) {
  await ensureChain();
  return current.provider.request({ method: "eth_signTypedData_v4", params: [current.account, JSON.stringify(document)] });
}

/** See that `spender` may move `units`; sends an approval only when it may not. */
export async function allow(spender, units, what) {
  const { allowance } = await ask(`/wallet/allowances/${current.account}?spender=${spender}`);
  if (BigInt(allowance) >= BigInt(units)) return;
  await send({ contract: "token", function: "approve", arguments: [spender, units], label: `Approve ${amount(units)} for ${what}` });
}

/** Send a call; where it takes an `allowance` of tokens, see to that first. */
export async function sendAllowed(call) {
  if (current === null && (await connect()) === null) throw new Error("No wallet is connected.");
  if (call.allowance !== undefined) await allow(network.contracts[call.contract], call.allowance, "the bond");
  return send(call);
}

/** Whether a place with buttons is in use: one of them has the focus, or waits for its wallet. */
export const inUse = (place) => place.contains(document.activeElement) || place.querySelector("[data-busy]") !== null;

/** A button that does something with the wallet, and tells what went wrong. */
export function actionButton(label, act, attributes = {}) {
  const button = h("button", { type: "button", ...attributes }, label);
  button.addEventListener("click", async () => {
    button.disabled = true;
    button.dataset.busy = "yes";
    try {
      await act();
    } catch (error) {
      notify(await sentence(error), { kind: "bad", key: "action" });
    } finally {
      button.disabled = false;
      delete button.dataset.busy;
    }
  });
  return button;
}

byId("connect")?.addEventListener("click", connect);
for (const entry of pending(network.chainId)) watch(entry);
await resume();
document.body.dataset.wallet = "ready";
