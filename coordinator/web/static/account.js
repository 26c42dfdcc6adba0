// What the wallet's account may do next: claims for anybody, stake and appeals for its owner.
import { byId, h, notify, told as toldBy } from "./dom.js";
import { actionButton, onAccount, send, sendAllowed } from "./wallet.js";
import { refresh } from "./live.js";

const who = document.body.dataset.account;
const place = byId("money");

async function draw(wallet) {
  const { stake, unbonding, unlocks } = place.dataset;
  const own = wallet !== null && wallet.toLowerCase() === who.toLowerCase();
  const told = await toldBy(`/wallet/accounts/${who}/actions`).catch((error) => {
    notify(error.message, { kind: "bad", key: "actions" });
    return { data: { claims: [], appeals: [] }, lines: [] };
  });
  const then = (call) => () => send(call).then(() => Promise.all([refresh(), draw(wallet)]));
  const buttons = told.data.claims.map((call) => actionButton(call.label, then(call), { class: "claim" }));
  if (own) {
    for (const call of told.data.appeals) {
      const act = () => sendAllowed(call).then(() => Promise.all([refresh(), draw(wallet)]));
      const until = new Date(call.until * 1000).toISOString().slice(0, 16).replace("T", " ");
      buttons.push(actionButton(`${call.label}, until ${until} UTC`, act, { class: "appeal plain" }));
    }
    buttons.push(...stakeButtons(then, stake, unbonding, Number(unlocks)));
  }
  for (const call of JSON.parse(byId("contests").dataset.calls)) {
    const allowed = call.only === undefined ? call.function !== "challenge" || own : call.only.toLowerCase() === wallet?.toLowerCase();
    if (allowed) buttons.push(actionButton(call.label, () => sendAllowed(call).then(() => Promise.all([refresh(), draw(wallet)])), { class: `contest ${call.function}${call.function === "collect" ? "" : " plain"}` }));
  }
  place.replaceChildren(...buttons);
  byId("later").replaceChildren(...told.lines.map((line) => h("li", {}, line)));
}

function stakeButtons(then, stake, unbonding, unlocks) {
  const found = [];
  if (BigInt(stake) > 0n) {
    const call = { contract: "vault", function: "unbond", arguments: [stake], label: "Take the stake out" };
    found.push(actionButton(call.label, then(call), { class: "unstake plain" }));
  }
  if (BigInt(unbonding) > 0n) {
    const call = { contract: "vault", function: "withdraw", arguments: [], label: "Withdraw what is unbonded" };
    const early = Math.max(Date.now() / 1000, Number(place.dataset.chainS)) < unlocks;
    found.push(actionButton(call.label, then(call), { class: "withdraw plain", disabled: early, title: early ? "It is not free yet." : null }));
  }
  return found;
}

onAccount((wallet) => draw(wallet));
