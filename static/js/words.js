// The few sentences that scripts say themselves, in the language of the page that brought them.
const known = JSON.parse(document.body.dataset.words || "{}");

export const say = (name, places = {}) =>
  (known[name] ?? name).replace(/\{(\w+)\}/g, (whole, place) => places[place] ?? whole);
