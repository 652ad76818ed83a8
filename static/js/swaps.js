// What a reader typed, opened and focused survives when a part of the page is exchanged.
let kept = null;

function keep() {
  const active = document.activeElement;
  kept = {
    values: new Map([...document.querySelectorAll("[data-keep]")].map((field) => [field.id, field.value])),
    checked: [...document.querySelectorAll("[data-keep-checked]:checked")].map((box) => box.id),
    open: [...document.querySelectorAll("details[open][id]")].map((details) => details.id),
    focus: active && active !== document.body ? focusKey(active) : null,
    range: active && "selectionStart" in active ? [active.selectionStart, active.selectionEnd] : null,
  };
}

function focusKey(element) {
  if (element.id) return `#${CSS.escape(element.id)}`;
  const row = element.closest("tr[id]");
  return row && element.matches("a") ? `#${CSS.escape(row.id)} a` : null;
}

function restore(source) {
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
  for (const id of kept.open) document.getElementById(id)?.setAttribute("open", "");
  const wanted = document.querySelector("[data-focus-me]");
  const before = kept.focus && document.querySelector(kept.focus);
  if (wanted) wanted.focus();
  else if (before && before !== document.activeElement) {
    before.focus({ preventScroll: true });
    if (kept.range && "setSelectionRange" in before && before.type !== "radio") {
      before.setSelectionRange(...kept.range);
    }
  }
  kept = null;
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
  keep();
});
document.addEventListener("htmx:afterSettle", (event) =>
  restore(event.detail.requestConfig?.verb === "post" ? "server" : "live"),
);
document.querySelector("[data-focus-me]")?.focus();
