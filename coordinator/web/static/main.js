// On every page: where we are, the wallet's button, transactions that were on their way, and the feed.
import { byId, notify } from "./dom.js";
import { follow } from "./live.js";
import "./wallet.js";

for (const link of document.querySelectorAll("nav a")) {
  const path = link.getAttribute("href");
  const here = location.pathname;
  const parents = { "/task": ["/task/"], "/contest": ["/contest/"], "/learning": ["/learning/"], "/miner": ["/miner/"], "/validator": ["/validator/"], "/block": ["/block/", "/tx/"], "/account": ["/account/"] };
  if (here === path || parents[path]?.some((start) => here.startsWith(start))) link.setAttribute("aria-current", "page");
}

byId("find")?.addEventListener("submit", (event) => {
  event.preventDefault();
  const text = new FormData(event.target).get("find").trim();
  if (/^[0-9]+$/.test(text)) location.assign(`/block/${text}`);
  else if (/^0x[0-9a-fA-F]{64}$/.test(text)) location.assign(`/tx/${text}`);
  else if (/^0x[0-9a-fA-F]{40}$/.test(text)) location.assign(`/account/${text}`);
  else notify("Write a block's number, or the 0x… of a transaction or an account.", { kind: "bad", key: "find" });
});

// Pages with a chart follow the feed themselves.
const { follow: what, news, task } = document.body.dataset;
if (what !== undefined && task === undefined) follow(what, news);

