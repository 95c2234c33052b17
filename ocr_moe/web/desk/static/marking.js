// How values are drawn: doubtful characters, differing ones, groups; all of it as text, never as markup.

// A character is marked from one chance in ten on that it is wrong …
const DOUBTFUL = 0.9;
// … and strongly where it is as likely wrong as right.
const POOR = 0.5;
// Characters that are drawn one by one; of a longer text the rest is left to the editor.
const DRAWN = 1500;
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/;

export function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

// Characters as people count them, each with its place in UTF-16 units of the Python string's kind.
const charactersOf = (value) => Array.from(value).slice(0, DRAWN);

function drawn(char) {
  if (!UNSEEN.test(char)) return element("span", "c", char);
  const code = char.codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
  return element("span", "c unseen", `U+${code}`);
}

// Fill `into` with a value. `marks(i)` gives a class and a title for the i-th character, or nothing.
export function draw(into, value, { groups = [], marks = () => null, part = () => "" } = {}) {
  const whole = element("span", "sr-only", value.slice(0, DRAWN));
  const shown = element("span", "drawn");
  shown.setAttribute("aria-hidden", "true");
  const chars = charactersOf(value);
  const parts = groups.length ? groups : [{ name: "", start: 0, end: chars.length }];
  for (const { name, start, end } of parts) {
    const group = element("span", groups.length ? "group" : "run");
    const row = element("span", "chars");
    for (let i = start; i < Math.min(end, chars.length); i++) {
      const made = drawn(chars[i]);
      const mark = marks(i);
      if (mark) {
        made.classList.add(mark.className);
        if (mark.title) made.title = mark.title;
      }
      row.append(made);
    }
    group.append(row);
    if (groups.length) group.append(element("span", "part", name ? part(name) : ""));
    shown.append(group);
  }
  if (Array.from(value).length > DRAWN) shown.append(element("span", "soft", " …"));
  into.replaceChildren(whole, shown);
}

export function doubts(characters, title) {
  return (i) => {
    const p = characters[i];
    if (p === undefined || p >= DOUBTFUL) return null;
    return { className: p < POOR ? "poor" : "doubtful", title: title(p) };
  };
}

// Which characters of `value` differ from `other`: place by place where they are as long, else what is
// left between a common beginning and a common end.
export function differences(value, other) {
  const a = charactersOf(value);
  const b = charactersOf(other ?? "");
  if (!b.length) return () => null;
  const mark = { className: "differs" };
  if (a.length === b.length) return (i) => (a[i] === b[i] ? null : mark);
  let head = 0;
  while (head < Math.min(a.length, b.length) && a[head] === b[head]) head++;
  let tail = 0;
  while (tail < Math.min(a.length, b.length) - head && a.at(-1 - tail) === b.at(-1 - tail)) tail++;
  return (i) => (i >= head && i < a.length - tail ? mark : null);
}

// One character under another: the strip below a crop.
export function strip(into, value, groups, marks) {
  const chars = charactersOf(value);
  const starts = new Set(groups.map((group) => group.start).filter((start) => start > 0));
  into.replaceChildren(
    ...chars.map((char, i) => {
      const made = element("span", starts.has(i) ? "s first" : "s", char);
      const mark = marks(i);
      if (mark) made.classList.add(mark.className);
      return made;
    }),
  );
}
