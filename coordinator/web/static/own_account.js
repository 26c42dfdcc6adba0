// From the wallet's account, or one that is typed, to its page.
import { byId } from "./dom.js";
import { onAccount } from "./wallet.js";

onAccount((account) => {
  if (account !== null) location.replace(`/account/${account}`);
});
byId("lookup").addEventListener("submit", (event) => {
  event.preventDefault();
  location.assign(`/account/${new FormData(event.target).get("address").trim()}`);
});
