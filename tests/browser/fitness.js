// What a page must hold under every way of looking at it. Each function answers a list of
// sentences, empty where all is well. Evaluated inside the page; changes nothing that is sent.
(() => {
  const all = (selector = "*") => [...document.body.querySelectorAll(selector)];
  const name = (part) => {
    const words = (part.getAttribute("aria-label") || part.textContent || "").trim();
    const classes = part.getAttribute("class") || "";
    return `<${part.localName} ${part.id || classes}> ${words.replace(/\s+/g, " ").slice(0, 40)}`;
  };
  const forEyes = (part) => {
    if (!part.checkVisibility({ visibilityProperty: true })) return false;
    const box = part.getBoundingClientRect();
    return box.width > 2 && box.height > 2 && part.closest(".sr, .skip") === null;
  };
  const hides = (style, side) => ["hidden", "clip"].includes(style[side]);
  const scrolls = (style, side) => ["auto", "scroll"].includes(style[side]);

  // Nothing is wider than the screen, nothing is cut off, and nothing scrolls sideways.
  function wide() {
    const root = document.documentElement;
    const found = [];
    if (root.scrollWidth > root.clientWidth) {
      found.push(`the page is ${root.scrollWidth - root.clientWidth} px wider than the screen`);
    }
    for (const part of all()) {
      const over = part.scrollWidth - part.clientWidth;
      const under = part.scrollHeight - part.clientHeight;
      const field = part.matches("input, select, textarea, option");
      if (field || (over <= 1 && under <= 1) || !forEyes(part)) continue;
      const style = getComputedStyle(part);
      if (style.display === "inline") continue;
      if (over > 1 && (hides(style, "overflowX") || scrolls(style, "overflowX"))) {
        found.push(`${name(part)} hides ${over} px of its width`);
      }
      if (under > 1 && hides(style, "overflowY")) {
        found.push(`${name(part)} cuts ${under} px of its height`);
      }
    }
    if (found.length && root.scrollWidth > root.clientWidth) {
      const widest = all()
        .filter(forEyes)
        .map((part) => [part, part.getBoundingClientRect()])
        .filter(([, box]) => box.right > root.clientWidth + 1 || box.left < -1)
        .slice(-3);
      for (const [part] of widest) found.push(`it is ${name(part)}`);
    }
    return found;
  }

  // What is pressed is 44 px high (a link inside a sentence is the sentence's height).
  function small() {
    return all("button, .btn, .nav a, .back, summary, .tick-label, .input")
      .filter((part) => forEyes(part) && !part.matches(".link"))
      .filter((part) => part.getBoundingClientRect().height < 43.5)
      .map((part) => `${name(part)} is ${part.getBoundingClientRect().height} px high`);
  }

  const ringed = (part) => {
    for (let near = part, up = 0; near && up < 5; near = near.parentElement, up += 1) {
      const style = getComputedStyle(near);
      if (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2) return true;
    }
    return false;
  };

  // Whoever walks by keyboard sees where they are, beside everything that sticks to the screen.
  function lost() {
    const found = [];
    const stops = all("a[href], button, input, select, textarea, summary, [tabindex='0']");
    for (const part of stops) {
      if (part.disabled || part.type === "hidden" || !part.checkVisibility()) continue;
      part.focus();
      if (document.activeElement !== part) continue;
      if (!ringed(part)) found.push(`${name(part)} does not show that it has the focus`);
      const box = part.getBoundingClientRect();
      const x = Math.min(Math.max(box.left + box.width / 2, 1), innerWidth - 1);
      const top = document.elementFromPoint(x, Math.max(box.top, 0) + 3);
      const foot = document.elementFromPoint(x, Math.min(box.bottom, innerHeight) - 3);
      const seen = [top, foot].some(
        (other) => other && (part.contains(other) || other.contains(part) || other.labels?.length),
      );
      if (!seen) found.push(`${name(part)} has the focus behind ${top ? name(top) : "the edge"}`);
    }
    document.activeElement?.blur();
    scrollTo(0, 0);
    return found;
  }

  // Nothing moves.
  function moving() {
    const found = document.getAnimations().map((motion) => `something moves: ${motion}`);
    for (const part of [document.documentElement, ...all()]) {
      for (const pseudo of [null, "::before", "::after"]) {
        const style = getComputedStyle(part, pseudo);
        const lasts = style.transitionDuration.split(",").some((time) => parseFloat(time) > 0);
        if (lasts || style.animationName !== "none") found.push(`${name(part)} moves`);
      }
    }
    return found;
  }

  // With the reader's own colours, edges and words carry what the page's colours carried.
  function faint() {
    const edged = (part) => {
      const style = getComputedStyle(part);
      return style.borderTopStyle !== "none" && parseFloat(style.borderTopWidth) >= 1;
    };
    const bare = all(".btn, .chip, .tag, .input, .gate, .sheet, .note-refuse")
      .filter((part) => forEyes(part) && !part.matches(".note-refuse") && !edged(part))
      .map((part) => `${name(part)} has no edge`);
    const unsaid = all("ins, del")
      .filter((part) => forEyes(part) && getComputedStyle(part).textDecorationLine === "none")
      .map((part) => `${name(part)} looks like any text`);
    const alike = all(".nav a[aria-current], .tabs [aria-current]")
      .filter((part) => Number(getComputedStyle(part).fontWeight) < 600)
      .map((part) => `${name(part)} does not look like the current one`);
    return [...bare, ...unsaid, ...alike];
  }

  // On paper: no buttons and no navigation, and nothing folded, cut or scrolled.
  function unprinted() {
    const screen = all("nav, button, .btn, .top, .jump, dialog, .decide, .pick")
      .filter((part) => part.checkVisibility())
      .map((part) => `${name(part)} is printed`);
    const folded = all("details:not(:has(form)) > :not(summary)")
      .filter((part) => part.parentElement.checkVisibility() && !part.checkVisibility())
      .map((part) => `${name(part)} stays folded`);
    const facts = all("h1, .facts dd, .args td, .table td, .rows td, .line li, .clauses li")
      .filter((part) => part.closest(".decide, .screen, dialog, form") === null)
      .filter((part) => part.textContent.trim() && !part.checkVisibility())
      .map((part) => `${name(part)} is left out`);
    const scrolled = all("pre, .well, .raw, .definition, .sheet")
      .filter((part) => part.scrollHeight > part.clientHeight + 1 && part.clientHeight > 0)
      .filter((part) => getComputedStyle(part).overflowY !== "visible")
      .map((part) => `${name(part)} is cut where it scrolls`);
    return [...screen, ...folded, ...facts, ...scrolled];
  }

  const spacing = new CSSStyleSheet();
  spacing.replaceSync(
    "* { line-height: 1.5 !important; letter-spacing: 0.12em !important;" +
      " word-spacing: 0.16em !important; } p { margin-block-end: 2em !important; }",
  );

  window.fitness = {
    wide, small, lost, moving, faint, unprinted,
    // Of many rows that are alike the first ones stand for the rest.
    shorten: (rows) => all(`tbody > tr:nth-child(n + ${rows + 1})`).forEach((row) => row.remove()),
    unfold: () => all("details").forEach((part) => { part.open = true; }),
    direct: (way) => { document.documentElement.dir = way; },
    space: (on) => { document.adoptedStyleSheets = on ? [spacing] : []; },
  };
})();
