// One contest: what a wallet may do next, and the release of the test set's key.
import { byId, h, notify } from "./dom.js";
import { refresh } from "./live.js";
import { account, actionButton, inUse, onAccount, send, sendAllowed, sentence } from "./wallet.js";

const { contest, keyHash } = document.body.dataset;

function offer(who) {
  const calls = JSON.parse(byId("status").dataset.calls);
  const mine = calls.filter((call) => who !== null && (call.only === undefined || call.only.toLowerCase() === who.toLowerCase()));
  const buttons = mine.map((call) => actionButton(call.label, () => sendAllowed(call).then(refresh).then(() => offer(account())), { class: call.function === "challenge" ? "challenge plain" : call.function }));
  const told = calls.length > 0 && who === null ? [h("span", { class: "quiet" }, "Connect a wallet to close or challenge it.")] : [];
  byId("actions").replaceChildren(...buttons, ...told);
}

byId("release")?.addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    const { keccak256 } = await import("ethers");
    const key = `0x${new FormData(event.target).get("key").trim().replace(/^0x/, "").toLowerCase()}`;
    if (keccak256(key) !== `0x${keyHash}`) throw new Error(`This is not the key that contest ${contest} promised: nothing was sent.`);
    await send({ contract: "contest", function: "release", arguments: [contest, key], label: `Release the key of contest ${contest}` });
    location.reload();
  } catch (error) {
    notify(await sentence(error), { kind: "bad", key: "action" });
  }
});

onAccount(offer);
document.addEventListener("refreshed", () => {
  if (!inUse(byId("actions"))) offer(account());
});
