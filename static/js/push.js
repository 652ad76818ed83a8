// The page about being told: lets this browser be told, after a click and never without one.
import { bytes, text } from "./base64url.js";
import { want, wanted } from "./notify.js";

const part = document.querySelector("#here");
const push = part?.querySelector("#push-here");
const page = part?.querySelector("#notify-here");
const form = part?.querySelector("form");

function say(name) {
  for (const words of part.querySelectorAll("[data-says]")) words.hidden = words.dataset.says !== name;
}

async function allowed() {
  const answer = await Notification.requestPermission();
  if (answer !== "granted") say("denied");
  return answer === "granted";
}

async function subscribe() {
  if (!(await allowed())) return;
  push.disabled = true;
  try {
    const worker = await navigator.serviceWorker.register(part.dataset.worker, { scope: "/" });
    await navigator.serviceWorker.ready;
    const key = bytes(part.dataset.key);
    const before = await worker.pushManager.getSubscription();
    if (before) await before.unsubscribe();
    const made = await worker.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key });
    form.endpoint.value = made.endpoint;
    form.p256dh.value = text(made.getKey("p256dh"));
    form.auth.value = text(made.getKey("auth"));
    want(false);
    form.submit();
  } catch {
    push.disabled = false;
    say("failed");
  }
}

async function toggle() {
  if (!wanted() && !(await allowed())) return;
  want(!wanted());
  show();
}

function show() {
  page.setAttribute("aria-pressed", wanted() ? "true" : "false");
}

if (part) {
  const able = window.isSecureContext && "Notification" in window;
  say(able ? "able" : window.isSecureContext ? "unable" : "insecure");
  if (able) {
    page.hidden = false;
    page.addEventListener("click", toggle);
    show();
  }
  if (able && "serviceWorker" in navigator && "PushManager" in window) {
    push.hidden = false;
    push.addEventListener("click", subscribe);
  }
}
