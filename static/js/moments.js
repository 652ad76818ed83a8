// Rewrites <time data-moment> from UTC to the reader's own zone; the attribute keeps the instant.
const FORMS = {
  minutes: { hour: "2-digit", minute: "2-digit", hourCycle: "h23" },
  seconds: { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" },
  day: { day: "numeric", month: "long", year: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23" },
};
const long = new Intl.DateTimeFormat("en-GB", { dateStyle: "full", timeStyle: "long" });
const forms = Object.fromEntries(
  Object.entries(FORMS).map(([name, form]) => [name, new Intl.DateTimeFormat("en-GB", form)]),
);

export function localise(root) {
  for (const time of root.querySelectorAll("time[data-moment]")) {
    const at = new Date(time.dateTime);
    const form = forms[time.dataset.moment];
    if (!form || Number.isNaN(at.getTime())) continue;
    time.textContent = form.format(at);
    time.title = long.format(at);
    delete time.dataset.moment;
  }
}

localise(document);
document.addEventListener("htmx:afterSwap", () => localise(document));
