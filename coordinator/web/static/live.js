// The page follows the feed: news say that something changed, the changed parts are read again.

const QUIET_MS = 400;
// What the feed can say; a test compares it with the coordinator.
const KINDS = [
  "certificate.accepted",
  "certificate.undone",
  "chain.event",
  "chain.reorganised",
  "contribution.accepted",
  "contribution.rejected",
  "fault.proven",
  "fault.reported",
  "miner.live",
  "round.closed",
  "round.evaluated",
  "round.opened",
  "round.rolled_back",
  "segment.answer",
  "segment.proposed",
  "shard.assigned",
  "task.created",
  "task.note",
  "task.status",
];

/** The same page, read again as a document; scripts in it do not run. */
function readAgain() {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("GET", location.pathname + location.search);
    request.setRequestHeader("Accept", "text/html");
    request.responseType = "document";
    request.timeout = 15000;
    request.onload = () => (request.status === 200 ? resolve(request.response) : reject(new Error("not there")));
    request.onerror = request.ontimeout = () => reject(new Error("no answer"));
    request.send();
  });
}

/** Exchange every part marked data-live for its present state; what the reader opened stays open. */
export async function refresh() {
  const fresh = await readAgain();
  for (const old of document.querySelectorAll("[data-live]")) {
    const next = fresh.getElementById(old.id);
    if (!next || old.contains(document.activeElement) || old.querySelector("details[open]")) continue;
    if (old.isEqualNode(next)) continue;
    const left = old.querySelector(".scroll")?.scrollLeft ?? 0;
    old.replaceWith(document.importNode(next, true));
    const scrolled = document.getElementById(next.id).querySelector(".scroll");
    if (scrolled) scrolled.scrollLeft = left;
  }
  document.dispatchEvent(new Event("refreshed"));
}

/**
 * Follow the feed from the news that the page was made with. A cut connection resumes by itself after the
 * last id; nothing is missed. Calls onNews for each entry, and exchanges the live parts once it is quiet.
 */
export function follow(task, since, onNews = () => {}) {
  const query = new URLSearchParams({ after: since });
  if (task !== "all") query.set("task", task);
  const source = new EventSource(`/events?${query}`);
  let waiting = null;
  let due = false;
  const later = () => {
    due = true;
    if (waiting !== null) return;
    waiting = setTimeout(async () => {
      due = false;
      try {
        await refresh();
      } catch {
        // The next news tries again.
      }
      waiting = null;
      if (due) later();
    }, QUIET_MS);
  };
  const hear = (message) => {
    onNews(JSON.parse(message.data));
    later();
  };
  for (const kind of KINDS) source.addEventListener(kind, hear);
  addEventListener("pagehide", () => source.close());
  return source;
}
