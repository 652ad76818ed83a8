// Keeps a decision from being made by accident: buttons do nothing for 400 ms after anything under
// them was exchanged, do nothing while a request is on its way, and a blocked verb says why.
const INERT_MS = 400;
const page = document.documentElement;
let waking = null;

function rest() {
  page.dataset.inert = "";
  clearTimeout(waking);
  waking = setTimeout(() => delete page.dataset.inert, INERT_MS);
}

const isInert = () => "inert" in page.dataset;

document.addEventListener("htmx:afterSwap", rest);
// A page that was only loading has rested already: a second rest would swallow an honest click.
window.addEventListener("pageshow", (event) => event.persisted && rest());
rest();
page.dataset.guarded = "";

function refuse(event) {
  event.preventDefault();
  event.stopImmediatePropagation();
}

document.addEventListener(
  "click",
  (event) => {
    const button = event.target.closest?.("[data-guard] button");
    if (!button) return;
    if (isInert()) {
      refuse(event);
    } else if (button.getAttribute("aria-disabled") === "true") {
      refuse(event);
      const missing = document.querySelector("#todo a") ?? document.querySelector("#todo");
      missing?.focus();
      missing?.scrollIntoView({ block: "center" });
    }
  },
  true,
);

document.addEventListener(
  "submit",
  (event) => {
    if (!event.target.matches?.("[data-guard]")) return;
    if (isInert() || event.target.dataset.sent) refuse(event);
  },
  true,
);

const setBusy = (form, busy) => {
  if (!form?.matches?.("[data-guard]")) return;
  if (busy) form.dataset.sent = "yes";
  else delete form.dataset.sent;
  for (const button of form.querySelectorAll("button")) button.disabled = busy;
};

document.addEventListener("htmx:beforeSend", (event) => setBusy(event.detail.elt, true));
document.addEventListener("htmx:afterRequest", (event) => setBusy(event.detail.elt, false));
