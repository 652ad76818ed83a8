// What a reader typed, opened, focused and looks at survives when a part of the page is exchanged.
// One part may be exchanged before another has settled: each request keeps its own.
const keptFor = new WeakMap();

function keep() {
  const active = document.activeElement;
  return {
    values: new Map([...document.querySelectorAll("[data-keep]")].map((field) => [field.id, field.value])),
    checked: [...document.querySelectorAll("[data-keep-checked]:checked")].map((box) => box.id),
    open: [...document.querySelectorAll("details[open][id]")].map((details) => details.id),
    focus: active && active !== document.body ? focusKey(active) : null,
    seen: lookedAt(),
    range: active && "selectionStart" in active ? [active.selectionStart, active.selectionEnd] : null,
  };
}

function focusKey(element) {
  if (element.id) return `#${CSS.escape(element.id)}`;
  const row = element.closest("tr[id]");
  return row && element.matches("a") ? `#${CSS.escape(row.id)} a` : null;
}

// What stands where, from the window's upper edge on: what is nearest there may be gone afterwards.
// The browser's own anchor goes with the old part: while both parts stand there it follows the old
// one down.
function lookedAt() {
  const seen = [];
  if (scrollY === 0) return seen;
  for (const element of document.querySelectorAll("main [id]")) {
    const { top, height } = element.getBoundingClientRect();
    if (height) seen.push({ id: element.id, top });
  }
  return seen.sort((one, other) => Math.abs(one.top) - Math.abs(other.top));
}

function lookThereAgain(seen) {
  const still = seen.find(({ id }) => document.getElementById(id));
  if (!still) return;
  const { top } = document.getElementById(still.id).getBoundingClientRect();
  scrollBy({ top: top - still.top, behavior: "instant" });
}

// What asks for focus gets it once: later exchanges leave the reader where they went from there.
function focusWanted() {
  const asking = [...document.querySelectorAll("[data-focus-me]")];
  for (const element of asking) element.removeAttribute("data-focus-me");
  asking[0]?.focus();
  return asking[0];
}

function restore(kept, source) {
  if (!kept) return;
  const fresh = source === "server";
  if (!fresh) {
    for (const [id, value] of kept.values) {
      const field = document.getElementById(id);
      if (field && value) field.value = value;
    }
  }
  for (const id of fresh ? [] : kept.checked) {
    const box = document.getElementById(id);
    if (box) box.checked = true;
  }
  const before = kept.focus && document.querySelector(kept.focus);
  const lost = !document.activeElement || document.activeElement === document.body;
  if (focusWanted() || !kept.focus || !lost) return;
  if (!before) {
    document.querySelector("#verdict")?.focus(); // it says why that is gone
  } else {
    before.focus({ preventScroll: true });
    if (kept.range && "setSelectionRange" in before && before.type !== "radio") {
      before.setSelectionRange(...kept.range);
    }
  }
}

document.addEventListener("htmx:beforeSwap", (event) => {
  const answered = event.detail.xhr?.responseURL || "";
  if (answered && new URL(answered).pathname.startsWith("/accounts/")) {
    event.detail.shouldSwap = false; // the session ended: sign in again and come back
    location.reload();
    return;
  }
  if (event.detail.xhr?.status === 500 && !event.detail.xhr.getResponseHeader("X-Placet-Part")) {
    event.detail.shouldSwap = false; // a whole page about a fault is no part of this one
    return;
  }
  if (event.detail.xhr) keptFor.set(event.detail.xhr, keep());
});
document.addEventListener("htmx:afterSwap", ({ detail }) => {
  const kept = keptFor.get(detail.xhr);
  if (!kept) return;
  for (const id of kept.open) document.getElementById(id)?.setAttribute("open", "");
  if (detail.requestConfig?.verb !== "post") lookThereAgain(kept.seen);
});
document.addEventListener("htmx:afterSettle", ({ detail }) => {
  restore(keptFor.get(detail.xhr), detail.requestConfig?.verb === "post" ? "server" : "live");
  keptFor.delete(detail.xhr);
});
focusWanted();
