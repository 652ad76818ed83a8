// Keeps the inbox and the ticket true while somebody looks at them. Lists never move under a
// pointer or while one of their rows has focus: then rows are renewed in place and arrivals wait
// behind a "2 new" button.
import { listen } from "./doorbell.js";
import { say } from "./words.js";

const POLL_MS = 10000;
const GATHER_MS = 120;
const arrivals = new Set();
let polling = null;
let gathering = null;
let wantsAll = false;
const rung = new Map();

const live = () => document.querySelector("[data-live]");
const html = () => window.htmx;

function busy(inbox) {
  return inbox.matches(":hover") || inbox.contains(document.activeElement);
}

async function fetchInto(url, target) {
  if (!html() || !document.querySelector(target)) return;
  await html().ajax("GET", url, { target, select: target, swap: "outerHTML" }).catch(() => {});
}

async function refreshFrame() {
  await fetchInto("/frame/", "#gate");
  const gate = document.querySelector("#gate");
  if (!gate) return;
  const needs = Number(gate.dataset.needsYou || 0);
  const count = document.querySelector("#needs-count");
  if (count) {
    count.hidden = needs === 0;
    count.firstElementChild.textContent = needs;
  }
  document.title = (needs ? `(${needs}) ` : "") + document.title.replace(/^\(\d+\) /, "");
}

function showPill() {
  const pill = document.querySelector("#new-pill");
  if (!pill) return;
  pill.hidden = arrivals.size === 0;
  pill.querySelector("span").textContent = say("new", { number: arrivals.size });
}

async function refreshInbox(everything) {
  arrivals.clear();
  showPill();
  if (everything) await fetchInto(location.pathname + location.search, "#inbox");
}

async function renewRow(row) {
  const target = `#${CSS.escape(row.id)}`;
  await fetchInto(row.dataset.rowUrl, target);
}

async function answerInbox(inbox, tickets, all) {
  if (!busy(inbox)) {
    await refreshInbox(true);
    return;
  }
  const rows = [...inbox.querySelectorAll("tr[data-uid]")];
  const known = new Map(rows.map((row) => [row.dataset.uid, row]));
  for (const [uid, version] of tickets) {
    const row = known.get(uid);
    if (!row) arrivals.add(uid);
    else if (version > Number(row.dataset.version)) await renewRow(row);
  }
  if (all) for (const row of rows) await renewRow(row);
  showPill();
}

async function answerTicket(ticket, tickets, all) {
  const version = tickets.get(ticket.dataset.uid);
  if (all || version > Number(ticket.dataset.version)) {
    const query = document.querySelector("#args")?.dataset.query || "";
    await fetchInto(location.pathname + query, "#ticket");
  }
}

async function answer() {
  gathering = null;
  const tickets = new Map(rung);
  const all = wantsAll;
  rung.clear();
  wantsAll = false;
  await refreshFrame();
  const part = live();
  if (part?.dataset.live === "inbox") await answerInbox(part, tickets, all);
  if (part?.dataset.live === "ticket") await answerTicket(part, tickets, all);
}

function gather() {
  gathering ??= setTimeout(answer, GATHER_MS);
}

function everything() {
  wantsAll = true;
  gather();
}

if (document.body.dataset.signedIn !== undefined) {
  const banner = document.querySelector("#offline");
  listen({
    onTicket: (uid, version) => {
      rung.set(uid, Math.max(version, rung.get(uid) || 0));
      gather();
    },
    onGate: everything,
    onLost: everything,
    onDown: () => {
      banner.hidden = false;
      polling ??= setInterval(everything, POLL_MS);
    },
    onUp: () => {
      banner.hidden = true;
      clearInterval(polling);
      polling = null;
    },
  });
  document.querySelector("#new-pill")?.addEventListener("click", async () => {
    await refreshInbox(true);
    document.querySelector("#inbox .call a")?.focus();
  });
}
