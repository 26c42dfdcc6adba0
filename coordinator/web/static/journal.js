// Transactions on their way. They are noted before the wallet is asked, so a reload in between loses nothing.
import { ask, notify } from "./dom.js";

const KEY = "pot.journal";
const POLL_MS = 1200;
const KEPT = 50;
const GIVE_UP_MS = 24 * 3600 * 1000;
const FORGET_INTENT_MS = 30 * 60 * 1000;

function read() {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? "[]");
  } catch {
    return [];
  }
}

function write(entries) {
  localStorage.setItem(KEY, JSON.stringify(entries.slice(-KEPT)));
}

function change(id, values) {
  write(read().map((entry) => (entry.id === id ? { ...entry, ...values } : entry)));
}

export function forget(id) {
  write(read().filter((entry) => entry.id !== id));
}

/** Note that the wallet is about to be asked; returns the entry. `data` is what will be sent. */
export function note({ label, from, nonce, chainId, data }) {
  const entry = { id: `${Date.now()}-${Math.random()}`, label, from, nonce, chainId, data, hash: null, at: Date.now() };
  write([...read(), entry]);
  return entry;
}

/** The wallet gave a hash. */
export function sent(id, hash, nonce) {
  change(id, { hash, nonce });
}

export function pending(chainId) {
  return read().filter((entry) => entry.chainId === chainId);
}

const watching = new Map();

/** Follow one entry to its end, telling the reader; resolves with its fate. */
export function watch(entry) {
  if (!watching.has(entry.id)) watching.set(entry.id, run(entry).finally(() => watching.delete(entry.id)));
  return watching.get(entry.id);
}

async function run(first) {
  for (;;) {
    const entry = read().find((item) => item.id === first.id);
    if (!entry || Date.now() - entry.at > GIVE_UP_MS) {
      forget(first.id);
      return { status: "unknown", hash: first.hash ?? "" };
    }
    const fate = await look(entry).catch(() => null);
    if (fate !== null && tell(entry, fate)) {
      forget(entry.id);
      return fate;
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

async function look(entry) {
  if (entry.hash === null) return ask(`/wallet/accounts/${entry.from}/nonces/${entry.nonce}`);
  const fate = await ask(`/wallet/transactions/${entry.hash}?sender=${entry.from}&nonce=${entry.nonce}`);
  // A task has a page once it is indexed, a moment after its block.
  return fate.task_id && !(await indexed(fate.task_id)) ? { ...fate, status: "pending" } : fate;
}

async function indexed(task) {
  const { items } = await ask(`/tasks?limit=1&before=${Number(task) + 1}`);
  return items[0]?.task_id === task;
}

/** Say how it stands; whether that is the end. */
function tell(entry, fate) {
  const key = entry.id;
  const link = fate.hash ? `/tx/${fate.hash}` : null;
  if (entry.hash === null) return tellIntent(entry, fate);
  if (fate.status === "mined") {
    const where = fate.task_id ? `/task/${fate.task_id}` : link;
    notify(fate.task_id ? `${entry.label}: done. It is task ${fate.task_id}.` : `${entry.label}: done.`, { key, link: where });
    return true;
  }
  if (fate.status === "reverted") {
    notify(`${entry.label} failed: ${fate.reason}`, { kind: "bad", key, link });
    return true;
  }
  if (fate.status === "replaced") {
    if (fate.data !== "" && fate.data === entry.data) {
      change(entry.id, { hash: fate.hash });
      notify(`${entry.label}: the wallet sent it again with another fee.`, { kind: "wait", key, link });
      return false;
    }
    notify(`${entry.label} was replaced by another transaction of your wallet: nothing of it happened.`, { kind: "bad", key, link });
    return true;
  }
  const text = fate.status === "pending" ? "is on its way" : "is not seen by the chain yet";
  notify(`${entry.label} ${text}.`, { kind: "wait", key, link });
  return false;
}

/** The page was reloaded while the wallet was asked: the nonce tells what came of it. */
function tellIntent(entry, fate) {
  if (fate.hash && fate.data === entry.data) {
    change(entry.id, { hash: fate.hash });
    return false;
  }
  if (fate.hash || Date.now() - entry.at > FORGET_INTENT_MS) {
    notify(`${entry.label} was not sent.`, { kind: "bad", key: entry.id });
    return true;
  }
  notify(`${entry.label} waits for your signature in the wallet, or was rejected there. This page watches for it.`, { kind: "wait", key: entry.id });
  return false;
}
