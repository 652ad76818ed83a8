// Whether a pointer is pressing something, or has just let go: the click comes after that.
const CLICK_MS = 400;
const LONGEST_MS = 5000; // a release outside the window may never be told
let pressedAt = -LONGEST_MS;
let releasedAt = -CLICK_MS;

export function isPressing() {
  const now = performance.now();
  const down = pressedAt > releasedAt && now - pressedAt < LONGEST_MS;
  return down || now - releasedAt < CLICK_MS;
}

document.addEventListener("pointerdown", () => (pressedAt = performance.now()), true);
for (const end of ["pointerup", "pointercancel"]) {
  document.addEventListener(end, () => (releasedAt = performance.now()), true);
}
