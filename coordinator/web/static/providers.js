// Wallets that are installed in this browser: EIP-6963, and the single old one of EIP-1193.

const found = new Map();
const KEY = "pot.wallet";

addEventListener("eip6963:announceProvider", (event) => {
  const { info, provider } = event.detail ?? {};
  if (typeof info?.uuid === "string" && provider?.request) found.set(info.uuid, { info, provider });
});

/** Everything that announced itself, by name; the old way only when nobody did. */
export async function wallets() {
  dispatchEvent(new Event("eip6963:requestProvider"));
  await new Promise((resolve) => setTimeout(resolve, 50));
  if (found.size === 0 && globalThis.ethereum?.request) {
    return [{ info: { uuid: "legacy", rdns: "legacy", name: "Browser wallet", icon: "" }, provider: globalThis.ethereum }];
  }
  return [...found.values()].sort((a, b) => String(a.info.name).localeCompare(String(b.info.name)));
}

/** The wallet that was used last, if it is still there. */
export async function remembered() {
  const name = localStorage.getItem(KEY);
  return name === null ? null : ((await wallets()).find((wallet) => wallet.info.rdns === name) ?? null);
}

export function remember(wallet) {
  if (wallet === null) localStorage.removeItem(KEY);
  else localStorage.setItem(KEY, wallet.info.rdns);
}
