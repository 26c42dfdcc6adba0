// What an audit found, from the file that `pot audit --json` wrote: shown, and compared with the chain as this page
// knows it. Whoever ran the audit has replayed; this page only sees that the file speaks of these certificates.
import { ask, byId, h, network } from "./dom.js";

const MAX_BYTES = 8 * 1024 * 1024;
const PAGE = 500;
const MAX_SHOWN = 400;
const form = byId("replay");

const same = (a, b) => String(a).toLowerCase() === String(b).toLowerCase();

function parse(text) {
  let found;
  try {
    found = JSON.parse(text);
  } catch {
    throw new Error("This is no JSON. Run `pot audit TASK --json > audit.json`, and choose that file.");
  }
  if (typeof found !== "object" || found === null || !Array.isArray(found.checks) || !Array.isArray(found.certificates) || !/^[0-9]{1,16}$/.test(String(found.task_id))) {
    throw new Error("This is no audit of a task: `pot audit TASK --json` writes one.");
  }
  return found;
}

/** Every certificate of the task that stands, by its last round. */
async function certified(task) {
  const found = new Map();
  let next = "";
  while (next !== null) {
    const page = await ask(`/tasks/${task}/certificates?limit=${PAGE}${next && `&before=${next}`}`);
    for (const item of page.items) if (!item.void) found.set(item.last_round, item);
    next = page.next;
  }
  return found;
}

/** Lines {ok, text}: is it an audit of what this network has certified? */
async function compare(audit) {
  const here = same(audit.chain_id, network.chainId) && same(audit.market, network.contracts.market);
  const lines = [{ ok: here, text: here ? `It is of the market ${audit.market} on chain ${audit.chain_id}, which is this one.` : `It is of the market ${audit.market} on chain ${audit.chain_id}, which is NOT this one.` }];
  if (!here) return lines;
  const known = await certified(audit.task_id);
  const differs = audit.certificates.filter((item) => {
    const there = known.get(item.last_round);
    return there === undefined || there.first_round !== item.first_round || !same(there.model, item.model) || !same(there.tx_hash, item.tx_hash);
  });
  for (const item of differs.slice(0, 5)) lines.push({ ok: false, text: `The chain has no such certificate of rounds ${item.first_round} to ${item.last_round} with this model and transaction.` });
  if (differs.length === 0) lines.push({ ok: true, text: `Its ${audit.certificates.length} certificates are those on the chain: rounds, models and transactions.` });
  const later = known.size - audit.certificates.length;
  if (differs.length === 0 && later > 0 && audit.ok) lines.push({ ok: true, text: `${later} certificates are newer than it.` });
  return lines;
}

function show(audit, lines) {
  const wrong = lines.some((line) => !line.ok);
  const { task_id: task, rounds_certified: certifiedRounds, rounds_replayed: replayed, shards_replayed: shards } = audit;
  const found = audit.ok ? `no lie found in ${audit.checks.length} checks, ${replayed} of ${certifiedRounds} rounds (${shards} shards) replayed.` : `a LIE: ${audit.lie?.subject}: ${audit.lie?.detail}`;
  const title = wrong ? `This audit does not fit task ${task} of this network.` : `Task ${task}: ${found}`;
  const item = (line) => h("li", { class: line.ok ? "good" : "bad" }, `${line.ok ? "✓" : "✗"} ${line.text}`);
  const checks = audit.checks.slice(0, MAX_SHOWN).map((line) => item({ ok: line.ok === true, text: `${line.subject}: ${line.detail}` }));
  byId("replay-result").replaceChildren(
    h("p", { class: `notice ${wrong || !audit.ok ? "bad" : "good"}`, id: "replay-outcome" }, title),
    h("ul", { class: "checks" }, ...lines.map(item)),
    h("details", {}, h("summary", {}, `What it checked (${audit.checks.length})`), h("ul", { class: "checks" }, ...checks)),
    h("p", { class: "quiet" }, "The replay is the word of whoever ran it. Repeat it without trusting anybody: ", h("code", {}, `pot audit ${task}`)),
  );
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    const values = new FormData(form);
    const file = values.get("file");
    if (file.size > MAX_BYTES) throw new Error(`An audit of at most ${MAX_BYTES.toLocaleString("en-US")} bytes can be shown.`);
    const audit = parse(file.size > 0 ? await file.text() : values.get("text"));
    show(audit, await compare(audit));
  } catch (error) {
    byId("replay-result").replaceChildren(h("p", { class: "notice bad", id: "replay-outcome" }, error.message));
  }
});
document.body.dataset.replay = "ready";
