// Whether a pointer or the space bar is pressing something, or has just let go: the click comes
// after that.
const CLICK_MS = 400;
const LONGEST_MS = 5000; // a release outside the window may never be told
let pressedAt = -LONGEST_MS;
let releasedAt = -CLICK_MS;

export function isPressing() {
  const now = performance.now();
  const down = pressedAt > releasedAt && now - pressedAt < LONGEST_MS;
  return down || now - releasedAt < CLICK_MS;
}

function listen(type, told) {
  document.addEventListener(type, told, true);
}

function isByKey({ key, repeat, target }) {
  return key === " " && !repeat && target.matches("button, summary, [type=checkbox], [type=radio]");
}

const press = () => (pressedAt = performance.now());
const release = () => (releasedAt = performance.now());
listen("pointerdown", press);
listen("pointerup", release);
listen("pointercancel", release);
listen("keydown", (event) => isByKey(event) && press());
listen("keyup", (event) => isByKey(event) && release());
