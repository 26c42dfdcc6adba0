// A block's name is the sha256 of its header: hashed here, by the reader's own machine.
import { byId } from "./dom.js";

const header = byId("header").textContent.trim();
const bytes = Uint8Array.from(header.match(/../g), (pair) => parseInt(pair, 16));
const place = byId("hashed");

// Browsers hash only on https and on this machine.
if (globalThis.crypto?.subtle === undefined) {
  place.textContent = "This browser hashes only on pages that come by https: compare the header's sha256 yourself.";
} else {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  const hex = [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const same = hex === byId("hash").textContent.trim();
  place.textContent = same ? "✓ Your browser hashed the header: it leads to this name." : `✗ Your browser hashed the header to ${hex}: this block is not what it is called.`;
  place.className = same ? "good" : "note";
}
document.body.dataset.hashed = "done";
