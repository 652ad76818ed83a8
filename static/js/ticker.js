// Counts deadlines down in words, by the server's clock. Spoken at five minutes and at one only.
// The server decides expiry; this only says how long is left.
import { now } from "./clock.js";
import { say } from "./words.js";

const SPOKEN = [5 * 60, 60];
const said = new Set();

function span(seconds) {
  if (seconds < 60) return say("s", { seconds: Math.floor(seconds) });
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return say("min", { minutes });
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return say(minutes % 60 ? "h min" : "h", { hours, minutes: minutes % 60 });
  const days = Math.floor(hours / 24);
  return say(hours % 24 ? "d h" : "d", { days, hours: hours % 24 });
}

const words = (seconds) => (seconds <= 0 ? say("over") : say("in", { span: span(seconds) }));

function speak(at, seconds) {
  const line = document.querySelector("[data-spoken]");
  if (!line) return;
  for (const mark of SPOKEN) {
    const key = `${at}/${mark}`;
    if (seconds <= mark && seconds > mark - 30 && !said.has(key)) {
      said.add(key);
      line.textContent = say(mark === 60 ? "last minute" : "last five");
    }
  }
}

function tick() {
  for (const element of document.querySelectorAll("[data-ticks]")) {
    const seconds = (Date.parse(element.dataset.ticks) - now()) / 1000;
    const text = words(seconds);
    if (element.textContent !== text) element.textContent = text;
    if (seconds <= 20 * 60) element.classList.add("soon");
    if ("ticksSpoken" in element.dataset) speak(element.dataset.ticks, seconds);
  }
}

setInterval(tick, 1000);
document.addEventListener("htmx:afterSwap", tick);
