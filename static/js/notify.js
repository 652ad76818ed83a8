// Shows a notification of the browser's when something new needs its reader while the page is in
// the background. Only after they asked for it on their page about being told, and not where the
// same browser is told by Web Push already.
const KEY = "placet-notify";
const count = document.querySelector("#needs-count");

export function wanted() {
  return (
    "Notification" in window &&
    Notification.permission === "granted" &&
    localStorage.getItem(KEY) === "1"
  );
}

export function want(on) {
  if (on) localStorage.setItem(KEY, "1");
  else localStorage.removeItem(KEY);
}

function number() {
  return count.hidden ? 0 : Number(count.firstElementChild.textContent) || 0;
}

if (count) {
  let before = number();
  const look = () => {
    const now = number();
    if (now > before && document.hidden && wanted()) {
      const shown = new Notification("Placet", { body: document.body.dataset.notify, tag: "placet" });
      shown.onclick = () => {
        window.focus();
        shown.close();
      };
    }
    before = now;
  };
  new MutationObserver(look).observe(count, {
    attributes: true,
    childList: true,
    characterData: true,
    subtree: true,
  });
}
