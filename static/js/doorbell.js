// One WebSocket per page that only rings: which ticket changed, or that everything may have.
// Nothing is read from it but identifiers; the pages fetch what they show. Its first connection says
// when the page was made, and so hears of what changed before it could listen.
import { served } from "./clock.js";

const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 15000;
const SILENT_MS = 5000;

export function listen({ onTicket, onGate, onLost, onDown, onUp }) {
  let retry = FIRST_RETRY_MS;
  let silence = null;
  let connected = false;
  let missed = false;

  const lost = () => {
    silence ??= setTimeout(onDown, SILENT_MS);
    setTimeout(connect, retry + Math.random() * retry);
    retry = Math.min(retry * 2, LAST_RETRY_MS);
  };

  function connect() {
    const address = new URL("/ws/doorbell/", location.href);
    if (!missed && !Number.isNaN(served)) address.searchParams.set("since", served);
    address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(address);
    socket.onopen = () => {
      connected = true;
      retry = FIRST_RETRY_MS;
      clearTimeout(silence);
      silence = null;
      onUp();
      if (missed) onLost();
      missed = false;
    };
    socket.onmessage = ({ data }) => {
      const message = JSON.parse(data);
      if (message.ticket) onTicket(message.ticket, message.version);
      else if (message.gate) onGate();
      else if (message.lost) onLost();
    };
    socket.onclose = (event) => {
      connected = false;
      missed = true;
      if (event.code === 4401) location.reload();
      else lost();
    };
  }

  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && connected) onLost();
  });
  silence = setTimeout(onDown, SILENT_MS);
  connect();
}
