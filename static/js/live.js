// Keeps the inbox and the ticket true while somebody looks at them. Lists never move under a
// pointer or while one of their rows has focus: then rows are renewed in place and arrivals wait
// behind a "2 new" button. Nothing is exchanged under a finger or a button that is being pressed:
// the press would be lost. However much happens, a page asks again once a second at most, and for
// many changed rows once for all of them.
import { now } from "./clock.js";
import { listen } from "./doorbell.js";
import { localise } from "./moments.js";
import { showOffline } from "./offline.js";
import { isPressing } from "./press.js";
import { say } from "./words.js";

const POLL_MS = 10000;
const WAKE_MS = 1000;
const GATHER_MS = 120;
const REST_MS = 1000;
const FEW_ROWS = 2;
const arrivals = new Set();
let polling = null;
let gathering = null;
let answering = false;
let answeredAt = -REST_MS;
let wantsAll = false;
const rung = new Map();

const live = () => document.querySelector("[data-live]");
const html = () => window.htmx;

function busy(inbox) {
  return inbox.matches(":hover") || inbox.contains(document.activeElement);
}

// `event`: what the reader did to ask for it, if they did.
async function fetchInto(url, target, event) {
  if (!html() || !document.querySelector(target)) return;
  await html().ajax("GET", url, { target, select: target, swap: "outerHTML", event }).catch(() => {});
}

document.addEventListener("htmx:beforeSwap", ({ detail }) => {
  if (detail.requestConfig?.triggeringEvent || !isPressing()) return;
  detail.shouldSwap = false;
  wantsAll = true;
});

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

async function refreshInbox(event) {
  arrivals.clear();
  showPill();
  await fetchInto(location.pathname + location.search, "#inbox", event);
}

async function renewRow(row) {
  const target = `#${CSS.escape(row.id)}`;
  await fetchInto(row.dataset.rowUrl, target);
}

function replaceRow(row, fresh) {
  const focused = row.contains(document.activeElement) ? document.activeElement : null;
  const [was, is] = [row.querySelector(".tick"), fresh.querySelector(".tick")];
  if (was && is) is.checked = was.checked;
  row.replaceWith(fresh);
  html()?.process(fresh);
  if (!focused) return;
  const same = focused.id && document.getElementById(focused.id);
  (same || fresh.querySelector(".call a")).focus({ preventScroll: true });
}

// One answer for all of them: the inbox as it is now, of which only these rows are taken.
async function renewRows(rows) {
  let left = rows;
  if (rows.length > FEW_ROWS) {
    const headers = { "HX-Request": "true", "HX-Target": "inbox" };
    const answer = await fetch(location.pathname + location.search, { headers }).catch(() => null);
    if (!answer?.ok || answer.redirected) return;
    const now = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (isPressing()) {
      wantsAll = true;
      return;
    }
    left = rows.filter((row) => {
      const fresh = now.getElementById(row.id);
      if (fresh && row.isConnected) replaceRow(row, document.adoptNode(fresh));
      return !fresh;
    });
    localise(document);
  }
  for (const row of left) await renewRow(row);
}

async function answerInbox(inbox, tickets, all) {
  if (!busy(inbox)) {
    await refreshInbox();
    return;
  }
  const rows = [...inbox.querySelectorAll("tr[data-uid]")];
  const known = new Map(rows.map((row) => [row.dataset.uid, row]));
  for (const uid of tickets.keys()) if (!known.has(uid)) arrivals.add(uid);
  showPill();
  await renewRows(
    all ? rows : rows.filter((row) => tickets.get(row.dataset.uid) > Number(row.dataset.version)),
  );
}

async function answerTicket(ticket, tickets, all) {
  const version = tickets.get(ticket.dataset.uid);
  if (all || version > Number(ticket.dataset.version)) {
    const query = document.querySelector("#args")?.dataset.query || "";
    await fetchInto(`/tickets/${ticket.dataset.uid}/${query}`, "#ticket");
  }
}

async function answer() {
  gathering = null;
  answering = true;
  answeredAt = performance.now();
  await answerAll().catch(() => {});
  answering = false;
  if (rung.size || wantsAll) gather();
}

async function answerAll() {
  const tickets = new Map(rung);
  const all = wantsAll;
  rung.clear();
  wantsAll = false;
  await refreshFrame();
  const part = live();
  if (part?.dataset.live === "inbox") await answerInbox(part, tickets, all);
  if (part?.dataset.live === "ticket") await answerTicket(part, tickets, all);
  if (wantsAll) for (const [uid, version] of tickets) ring(uid, version); // what was put off
}

function ring(uid, version) {
  rung.set(uid, Math.max(version, rung.get(uid) || 0));
}

function shown(uid) {
  return Number(document.querySelector(`[data-uid="${CSS.escape(uid)}"]`)?.dataset.version ?? -1);
}

function gather() {
  if (answering) return; // what rings meanwhile is asked for afterwards
  const rest = answeredAt + REST_MS - performance.now();
  gathering ??= setTimeout(answer, Math.max(GATHER_MS, rest));
}

function everything() {
  wantsAll = true;
  gather();
}

// What its reader put away comes back when its time is over: nothing changed, so nobody rings.
function wake() {
  const due = [...document.querySelectorAll("#inbox [data-wakes]")].filter(
    (row) => Date.parse(row.dataset.wakes) <= now(),
  );
  for (const row of due) row.removeAttribute("data-wakes");
  if (due.length) everything();
}

if (document.body.dataset.signedIn !== undefined) {
  listen({
    onTicket: (uid, version) => {
      if (version <= shown(uid)) return;
      ring(uid, version);
      gather();
    },
    onGate: everything,
    onLost: everything,
    onDown: () => {
      showOffline(true);
      polling ??= setInterval(everything, POLL_MS);
    },
    onUp: () => {
      showOffline(false);
      clearInterval(polling);
      polling = null;
    },
  });
  setInterval(wake, WAKE_MS);
  document.querySelector("#new-pill")?.addEventListener("click", async (event) => {
    await refreshInbox(event);
    document.querySelector("#inbox .call a")?.focus();
  });
}
