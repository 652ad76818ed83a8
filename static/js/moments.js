// Rewrites <time data-moment> in the zone that the reader chose, else in the browser's own; the
// attribute keeps the instant.
const timeZone = document.body.dataset.zone || undefined;
const language = document.documentElement.lang === "en" ? "en-GB" : document.documentElement.lang;
const FORMS = {
  minutes: { hour: "2-digit", minute: "2-digit", hourCycle: "h23" },
  seconds: { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" },
  day: { day: "numeric", month: "long", year: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23" },
};
const long = new Intl.DateTimeFormat(language, { dateStyle: "full", timeStyle: "long", timeZone });
const forms = Object.fromEntries(
  Object.entries(FORMS).map(([name, form]) => [name, new Intl.DateTimeFormat(language, { ...form, timeZone })]),
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

// Where a time zone is chosen, the browser's own is one click away.
const here = Intl.DateTimeFormat().resolvedOptions().timeZone;
for (const button of document.querySelectorAll("[data-zone-here]")) {
  const list = document.getElementById(button.dataset.zoneHere);
  const known = [...list.options].some((option) => option.value === here);
  if (!known || list.value === here) continue;
  button.querySelector("span").textContent = here;
  button.hidden = false;
  button.addEventListener("click", () => {
    list.value = here;
    button.hidden = true;
    list.focus();
  });
}
