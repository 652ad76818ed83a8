// The banner of a page that hears no doorbell: whether anything answers, and when it last did.
import { now } from "./clock.js";
import { localise } from "./moments.js";

const banner = document.querySelector("#offline");

function note(answers) {
  banner.querySelector("[data-answers]").hidden = !answers;
  banner.querySelector("[data-silent]").hidden = answers;
  if (!answers) return;
  const time = banner.querySelector("time");
  time.dateTime = new Date(now()).toISOString();
  time.dataset.moment = "seconds";
  localise(banner);
}

export function showOffline(isOffline) {
  if (banner) banner.hidden = !isOffline;
}

if (banner) {
  note(true); // this page was an answer
  document.addEventListener("htmx:afterRequest", ({ detail }) => {
    const status = detail.xhr?.status || 0;
    note(status > 0 && status < 500);
  });
}
