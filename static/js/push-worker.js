// Runs while no page of Placet is open: shows what was pushed, and leads to its page. It caches
// nothing and answers no request; opening a page from here changes nothing there.
self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

function said(event) {
  try {
    const message = event.data.json();
    return typeof message === "object" && message !== null ? message : {};
  } catch {
    return {};
  }
}

function ours(path) {
  const url = new URL(typeof path === "string" ? path : "/", self.location.origin);
  return url.origin === self.location.origin ? url.href : `${self.location.origin}/`;
}

self.addEventListener("push", (event) => {
  const { title, body, tag, path } = said(event);
  const shown = self.registration.showNotification(String(title || "Placet"), {
    body: String(body || ""),
    tag: String(tag || "placet"),
    icon: "/static/favicon.svg",
    data: { path },
  });
  event.waitUntil(shown);
});

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(self.clients.openWindow(ours(event.notification.data?.path)));
});
