// Passkeys: asks the browser for one where a form needs it, puts the answer into the form's hidden
// field and lets the form go on its way. The server makes the question and judges the answer.
import { bytes, text } from "./base64url.js";

const named = (list) => (list || []).map((each) => ({ ...each, id: bytes(each.id) }));

function question(publicKey) {
  const asked = { ...publicKey, challenge: bytes(publicKey.challenge) };
  if (asked.user) asked.user = { ...asked.user, id: bytes(asked.user.id) };
  if (asked.excludeCredentials) asked.excludeCredentials = named(asked.excludeCredentials);
  if (asked.allowCredentials) asked.allowCredentials = named(asked.allowCredentials);
  return { publicKey: asked };
}

function answer(credential) {
  const parts = ["attestationObject", "authenticatorData", "clientDataJSON", "signature", "userHandle"];
  const given = parts.filter((part) => credential.response[part]);
  return JSON.stringify({
    id: credential.id,
    rawId: text(credential.rawId),
    type: credential.type,
    clientExtensionResults: credential.getClientExtensionResults(),
    response: Object.fromEntries(given.map((part) => [part, text(credential.response[part])])),
  });
}

const ask = {
  create: async (options) => answer(await navigator.credentials.create(question(options.publicKey))),
  get: async (options) => answer(await navigator.credentials.get(question(options.publicKey))),
};

class Refused extends Error {}

function say(part, which, words) {
  for (const line of part.querySelectorAll("[data-say]")) {
    line.hidden = line.dataset.say !== which;
    if (!line.hidden && words) line.textContent = words;
  }
}

async function fetched(address, request) {
  const reply = await fetch(address, { ...request, headers: { Accept: "application/json", "X-Requested-With": "XMLHttpRequest" } });
  const told = await reply.json().catch(() => ({}));
  if (!reply.ok) throw new Refused(told.message || "");
  return told;
}

// Asks, and gives the form back to whoever sends it (the browser or htmx), as if pressed again.
async function fill(form, part, button, field, asking) {
  const buttons = [...form.querySelectorAll("button")].filter((each) => !each.disabled);
  say(part, "waiting");
  for (const each of buttons) each.disabled = true;
  try {
    field.value = await asking();
    say(part, "");
  } catch (problem) {
    if (problem instanceof Refused && problem.message) say(part, "server", problem.message);
    else if (["NotAllowedError", "AbortError"].includes(problem.name)) say(part, "cancelled");
    else say(part, "failed");
  } finally {
    for (const each of buttons) each.disabled = false;
  }
  button.focus();
  if (field.value && form.isConnected) button.click();
}

function optionsOf(form) {
  const told = JSON.parse(document.getElementById(form.dataset.options).textContent);
  return told.creation_options || told.request_options;
}

document.addEventListener(
  "submit",
  (event) => {
    const form = event.target;
    const button = event.submitter;
    const vote = form.querySelector?.("[data-step-up]:not([data-step-up-off])");
    const field = form.querySelector?.("[name=assertion], [name=credential]");
    if (!field || !button || field.value) return;
    let asking;
    let part = form;
    if (form.dataset.passkey) {
      asking = async () => {
        const address = form.dataset.optionsFrom;
        const options = address ? (await fetched(address, {})).request_options : optionsOf(form);
        return ask[form.dataset.passkey](options);
      };
    } else if (vote && button.value !== "reject" && !form.querySelector("[name=code]")?.value) {
      part = vote;
      asking = async () =>
        ask.get(await fetched(vote.dataset.stepUp, { method: "POST", body: new URLSearchParams(new FormData(form)) }));
    } else return;
    event.preventDefault();
    event.stopImmediatePropagation();
    fill(form, part, button, field, asking);
  },
  true,
);

if (window.PublicKeyCredential) {
  for (const form of document.querySelectorAll("form[data-passkey][hidden]")) form.hidden = false;
}
