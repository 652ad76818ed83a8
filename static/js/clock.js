// The server's clock, as well as the browser can know it.
export const served = Date.parse(document.body.dataset.now || "");
const offset = Number.isNaN(served) ? 0 : served - Date.now();

export const now = () => Date.now() + offset;
