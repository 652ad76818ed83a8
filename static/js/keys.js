// Letter keys for people who decide a lot. They move focus and never act; they can be switched
// off in the list of keys (WCAG 2.1.4).
const STORE = "placet.keys";
const dialog = document.querySelector("#keys");
const toggle = document.querySelector("#keys-on");

function stored() {
  try {
    return localStorage.getItem(STORE);
  } catch {
    return null;
  }
}

let on = stored() !== "off";
if (toggle) {
  toggle.checked = on;
  toggle.addEventListener("change", () => {
    on = toggle.checked;
    try {
      localStorage.setItem(STORE, on ? "on" : "off");
    } catch {
      // kept for this page only
    }
  });
}
document.querySelector("[data-keys-hint]")?.removeAttribute("hidden");
document.querySelector("#keys-open")?.removeAttribute("hidden");
document.querySelector("#keys-open")?.addEventListener("click", () => dialog?.showModal());

function move(step) {
  const links = [...document.querySelectorAll("#inbox .call a, .rows .call a")];
  if (!links.length) return;
  const at = links.indexOf(document.activeElement);
  const next = at < 0 ? 0 : Math.min(links.length - 1, Math.max(0, at + step));
  links[next].focus();
}

// On the history's own page, or there: the browser focuses the field that an address names.
function search() {
  const field = document.querySelector("input[type=search]");
  const history = document.querySelector("[data-search]");
  if (field) field.focus();
  else if (history) location.assign(`${history.href}#f-q`);
}

const ACTS = {
  j: () => move(1),
  k: () => move(-1),
  u: () => document.querySelector(".status .back, a.brand")?.click(),
  "/": search,
  "?": () => dialog?.showModal(),
  x: () => document.activeElement?.closest("tr")?.querySelector(".pick input")?.click(),
  a: () => document.querySelector("#approve")?.focus(),
  r: () => document.querySelector("#reject")?.focus(),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || dialog?.open) return;
  if (event.target.matches?.("input, textarea, select, [contenteditable]")) return;
  if (!on) return;
  const act = ACTS[event.key];
  if (!act) return;
  event.preventDefault();
  act();
});
