// Building the page: text goes in as text, never as markup.

/** An element with attributes and children; strings become text. */
export function h(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(name, String(value));
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

export const byId = (id) => document.getElementById(id);

/** What the server says of the network: chainId, local, contracts, abi (a URL). */
export const network = JSON.parse(document.body.dataset.network);

/** Tell the reader; kind is "good", "wait" or "bad". A key replaces an earlier notice under that key. */
export function notify(text, { kind = "good", key = null, link = null } = {}) {
  const place = byId("notices");
  if (key !== null) place.querySelector(`[data-key="${CSS.escape(key)}"]`)?.remove();
  const close = h("button", { type: "button", onclick: () => note.remove() }, "Close");
  const words = h("span", {}, text, link ? " " : null, link ? h("a", { href: link }, "Look at it") : null);
  const note = h("div", { class: `notice ${kind}`, "data-key": key }, words, close);
  place.append(note);
  return note;
}

/** JSON of our server; throws its sentence when it says no. */
export async function ask(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, { ...options, headers: { Accept: "application/json", ...options.headers } });
  } catch {
    throw new Error("The coordinator does not answer. Is it running?");
  }
  const body = await answer.json().catch(() => null);
  if (!answer.ok) throw new Error(body?.message ?? `The coordinator answered with status ${answer.status}.`);
  return body;
}

/** An answer with lines for people; a no is thrown as its sentence. */
export async function told(path, options) {
  const answer = await ask(path, options);
  if (answer.data === null) throw new Error(answer.lines[0]);
  return answer;
}

export function posted(path, body) {
  return told(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
}

export function post(path, body) {
  return ask(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
}

/** 1500000000000000000 -> "1.5 POT", exactly; as the server writes it. */
export function amount(units) {
  const value = BigInt(units);
  const size = value < 0n ? -value : value;
  const one = 10n ** 18n;
  const rest = size % one ? "." + (size % one).toString().padStart(18, "0").replace(/0+$/, "") : "";
  return `${value < 0n ? "-" : ""}${(size / one).toLocaleString("en-US")}${rest} POT`;
}
