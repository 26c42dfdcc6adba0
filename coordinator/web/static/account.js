// What the wallet's account may do next: claims for anybody, stake and appeals for its owner.
import { byId, h, notify, told as toldBy } from "./dom.js";
import { account, actionButton, inUse, onAccount, send, sendAllowed } from "./wallet.js";
import { refresh } from "./live.js";

const who = document.body.dataset.account;
const NOTHING = { data: { claims: [], appeals: [] }, lines: [] };
let told = NOTHING;

const same = (a, b) => a !== null && a.toLowerCase() === b.toLowerCase();

/** Ask what can be claimed and appealed against; the rest stands on the page. */
async function load() {
  told = await toldBy(`/wallet/accounts/${who}/actions`).catch((error) => {
    notify(error.message, { kind: "bad", key: "actions" });
    return NOTHING;
  });
  byId("later").replaceChildren(...told.lines.map((line) => h("li", {}, line)));
  paint();
}

const then = (act) => () => act().then(() => Promise.all([refresh(), load()]));

function paint() {
  const own = same(account(), who);
  const { claims, appeals } = told.data;
  byId("money").replaceChildren(
    ...claims.map((call) => actionButton(call.label, then(() => send(call)), { class: "claim" })),
    ...(own ? appeals.map(appealButton) : []),
    ...(own ? stakeButtons() : []),
    ...contestButtons(own),
  );
}

function appealButton(call) {
  const until = new Date(call.until * 1000).toISOString().slice(0, 16).replace("T", " ");
  return actionButton(`${call.label}, until ${until} UTC`, then(() => sendAllowed(call)), { class: "appeal plain" });
}

function stakeButtons() {
  const { stake, unbonding, unlocks, chainS } = byId("stake").dataset;
  const found = [];
  if (BigInt(stake) > 0n) {
    const call = { contract: "vault", function: "unbond", arguments: [stake], label: "Take the stake out" };
    found.push(actionButton(call.label, then(() => send(call)), { class: "unstake plain" }));
  }
  if (BigInt(unbonding) > 0n) {
    const call = { contract: "vault", function: "withdraw", arguments: [], label: "Withdraw what is unbonded" };
    const early = Math.max(Date.now() / 1000, Number(chainS)) < Number(unlocks);
    found.push(actionButton(call.label, then(() => send(call)), { class: "withdraw plain", disabled: early, title: early ? "It is not free yet." : null }));
  }
  return found;
}

/** Anybody may collect for anybody and close; a challenge takes the owner's bond. */
function contestButtons(own) {
  const allowed = (call) => (call.only === undefined ? own || call.function !== "challenge" : same(account(), call.only));
  const calls = JSON.parse(byId("contests").dataset.calls).filter(allowed);
  return calls.map((call) => actionButton(call.label, then(() => sendAllowed(call)), { class: `${call.function}${call.function === "collect" ? "" : " plain"}` }));
}

onAccount(load);
document.addEventListener("refreshed", () => {
  if (!inUse(byId("money"))) paint();
});
