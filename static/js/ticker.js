// Counts deadlines down in words, by the server's clock. Spoken at five minutes and at one only.
// The server decides expiry; this only says how long is left.
import { now } from "./clock.js";

const SPOKEN = [5 * 60, 60];
const said = new Set();

export function words(seconds) {
  if (seconds <= 0) return "time is up";
  if (seconds < 60) return `in ${Math.floor(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `in ${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 ? `in ${hours} h ${minutes % 60} min` : `in ${hours} h`;
  const days = Math.floor(hours / 24);
  return hours % 24 ? `in ${days} d ${hours % 24} h` : `in ${days} d`;
}

function speak(at, seconds) {
  const line = document.querySelector("[data-spoken]");
  if (!line) return;
  for (const mark of SPOKEN) {
    const key = `${at}/${mark}`;
    if (seconds <= mark && seconds > mark - 30 && !said.has(key)) {
      said.add(key);
      line.textContent = mark === 60 ? "One minute left to decide." : "Five minutes left to decide.";
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
