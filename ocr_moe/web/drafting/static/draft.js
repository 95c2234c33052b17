// A schema's text, read on the samples as it is written. Whatever comes from documents is shown as text.
"use strict";

const draft = document.getElementById("draft");
const root = draft.dataset.root;
const words = JSON.parse(draft.dataset.words);
const byId = (id) => document.getElementById(id);
const text = byId("text");
const SVG = "http://www.w3.org/2000/svg";
const PAUSE_MS = 500;
// The height of a field's name on a page, in parts of its width.
const NAME = 0.016;

let saved = text.value;
let reading = null;
let asked = 0;
let timer = null;
let bad = new Set();

function said(key, values = {}) {
  const found = words[`js_${key}`] ?? key;
  const bar = found.indexOf("|");
  const chosen = bar < 0 ? found : values.n === 1 ? found.slice(0, bar) : found.slice(bar + 1);
  return chosen.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

// What would run backwards or stand nowhere in a text is shown by its number.
function visible(value) {
  return String(value).replace(/[\p{Cc}\p{Cf}\p{Co}\p{Cn}]/gu, (char) =>
    char === "\n" || char === "\t" ? char : `[U+${char.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}]`);
}

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

function data(value) {
  return element("bdi", { class: "value" }, visible(value));
}

// The text ----------------------------------------------------------------------------------------

function number() {
  const lines = byId("lines");
  lines.replaceChildren();
  const count = text.value.split("\n").length;
  for (let line = 1; line <= count; line += 1) {
    lines.append(bad.has(line) ? element("span", { class: "bad" }, String(line)) : String(line), "\n");
  }
  lines.scrollTop = text.scrollTop;
}

function state(words_) {
  byId("state").textContent = words_;
}

function goTo(line) {
  const lines = text.value.split("\n");
  const start = lines.slice(0, line - 1).reduce((sum, each) => sum + each.length + 1, 0);
  text.focus();
  text.setSelectionRange(start, start + (lines[line - 1] ?? "").length);
  text.scrollTop = Math.max(0, (text.scrollHeight / lines.length) * (line - 4));
}

function tellMistakes(mistakes) {
  bad = new Set(mistakes.map(({ line }) => line).filter((line) => line !== null));
  const place = byId("mistakes");
  place.hidden = mistakes.length === 0;
  text.setAttribute("aria-invalid", mistakes.length ? "true" : "false");
  const list = place.querySelector("ul");
  list.replaceChildren();
  for (const { line, message } of mistakes) {
    const item = element("li");
    if (line === null) item.append(visible(message));
    else {
      const button = element("button", { type: "button", class: "plain" }, said("mistake_line", { line, message: visible(message) }));
      button.addEventListener("click", () => goTo(line));
      item.append(button);
    }
    list.append(item);
  }
  number();
}

async function send(path) {
  const answer = await fetch(`${root}/${path}`, {
    method: "POST",
    headers: { "Content-Type": "text/plain; charset=utf-8", Accept: "application/json" },
    body: text.value,
  });
  return [answer, await answer.json()];
}

async function read() {
  asked += 1;
  const mine = asked;
  state(said("reading"));
  try {
    const [answer, told] = await send("read");
    if (mine !== asked) return;
    if (!answer.ok) { state(told.detail ?? said("lost")); return; }
    if (told.mistakes) {
      tellMistakes(told.mistakes);
      state(said("n_mistakes", { n: told.mistakes.length }));
      return;
    }
    tellMistakes([]);
    reading = told;
    state(text.value === saved ? said("read") : said("unsaved"));
    show();
  } catch {
    if (mine === asked) state(said("lost"));
  }
}

text.addEventListener("input", () => {
  number();
  clearTimeout(timer);
  timer = setTimeout(read, PAUSE_MS);
});
text.addEventListener("scroll", () => { byId("lines").scrollTop = text.scrollTop; });

byId("save").addEventListener("click", async () => {
  const sent = text.value;
  try {
    const [answer, told] = await send("save");
    if (told.mistakes) { tellMistakes(told.mistakes); state(said("n_mistakes", { n: told.mistakes.length })); return; }
    if (!answer.ok) { state(told.detail ?? said("lost")); return; }
    saved = sent;
    state(said("saved", { file: told.saved }));
  } catch {
    state(said("lost"));
  }
});
addEventListener("beforeunload", (event) => { if (text.value !== saved) event.preventDefault(); });

// The samples -------------------------------------------------------------------------------------

const sample = byId("sample");
const page = byId("page");

function chosen() {
  return reading === null ? null : reading.samples[Number(sample.value)];
}

function showPages() {
  const now = chosen();
  if (now === null) return;
  const before = Number(page.value) || 1;
  page.replaceChildren(...now.pages.map((_, index) => element("option", { value: String(index + 1) }, said("page", { n: index + 1 }))));
  page.value = String(Math.min(before, now.pages.length));
  page.disabled = now.pages.length < 2;
}

function showPicture() {
  const source = `${root}/image/${Number(sample.value)}/${Number(page.value) || 1}`;
  const picture = byId("picture");
  if (picture.getAttribute("src") !== source) {
    picture.hidden = false;
    byId("no-picture").hidden = true;
    picture.src = source;
  }
}
byId("picture").addEventListener("error", () => {
  byId("picture").hidden = true;
  byId("no-picture").hidden = false;
});

function looks(cell) {
  return cell.right === false ? "wrong" : cell.status;
}

function showBoxes() {
  const now = chosen();
  const boxes = byId("boxes");
  boxes.replaceChildren();
  if (now === null) return;
  const { width, height } = now.pages[Number(page.value) - 1];
  boxes.setAttribute("viewBox", `0 0 ${width} ${height}`);
  now.cells.forEach((cell, index) => {
    cell.boxes.filter((each) => each.page === Number(page.value)).forEach(({ box }, inner) => {
      const [x0, y0, x1, y1] = box;
      const rect = document.createElementNS(SVG, "rect");
      rect.setAttribute("class", inner ? "inner" : looks(cell));
      rect.dataset.cell = String(index);
      rect.setAttribute("x", x0 * width);
      rect.setAttribute("y", y0 * height);
      rect.setAttribute("width", (x1 - x0) * width);
      rect.setAttribute("height", (y1 - y0) * height);
      boxes.append(rect);
      if (inner) return;
      const name = document.createElementNS(SVG, "text");
      name.setAttribute("class", looks(cell));
      name.setAttribute("x", x0 * width);
      name.setAttribute("y", Math.max(y0 * height - NAME * width * 0.25, NAME * width));
      name.setAttribute("font-size", NAME * width);
      name.setAttribute("stroke-width", NAME * width * 0.25);
      const told = cell.rows !== null ? said("rows", { n: cell.rows }) : cell.value ?? "";
      const short = told.length > 24 ? `${told.slice(0, 24)}…` : told;
      name.textContent = visible(`${cell.field}: ${short} (${said(`status_${cell.status}`)})`);
      boxes.append(name);
    });
  });
}

function showCells() {
  const now = chosen();
  const body = byId("cells").querySelector("tbody");
  body.replaceChildren();
  if (now === null) return;
  byId("failure").hidden = now.error === null;
  byId("failure").textContent = now.error === null ? "" : visible(now.error);
  now.cells.forEach((cell, index) => {
    const value = element("td");
    if (cell.rows !== null) value.append(said("rows", { n: cell.rows }));
    else if (cell.value === null) value.append(element("span", { class: "soft" }, said("nothing")));
    else value.append(data(cell.value));
    if (cell.right === false) {
      const should = cell.truth === "" ? said("should_be_absent") : said("should_be", { truth: visible(cell.truth) });
      value.append(element("span", { class: "truth" }, should));
    }
    const kind = { accepted: "good", abstained: "check", failed: "bad" }[cell.status] ?? "";
    const status = element("td", {}, element("span", { class: `chip ${kind}` }, said(`status_${cell.status}`)));
    if (cell.confidence !== null) status.append(" ", element("span", { class: "soft small" }, `${Math.round(100 * cell.confidence)} %`));
    if (cell.right !== null) status.append(" ", element("span", { class: `chip ${cell.right ? "good" : "bad"}` }, said(cell.right ? "is_right" : "is_wrong")));
    const row = element("tr", {}, element("th", { scope: "row" }, data(cell.field)), value, status);
    const light = (on) => {
      for (const rect of byId("boxes").querySelectorAll("rect")) {
        if (rect.dataset.cell === String(index)) rect.classList.toggle("lit", on);
      }
    };
    row.addEventListener("mouseenter", () => light(true));
    row.addEventListener("mouseleave", () => light(false));
    body.append(row);
  });
}

function showAccuracy() {
  const body = byId("accuracy").querySelector("tbody");
  if (body === null || reading === null || reading.accuracy === null) return;
  const share = (found) => (found ? said("share", found) : "");
  const rows = Object.entries(reading.accuracy).map(([name, found]) =>
    element("tr", {}, element("th", { scope: "row" }, data(name)), element("td", {}, share(found)), element("td", {}, share(reading.crossed[name]))));
  rows.push(element("tr", { class: "whole" }, element("th", { scope: "row" }, said("all")), element("td", {}, share(reading.whole)), element("td")));
  body.replaceChildren(...rows);
}

function show() {
  showPages();
  showPicture();
  showBoxes();
  showCells();
  showAccuracy();
}

function turnTo(index) {
  const count = sample.options.length;
  sample.value = String((index + count) % count);
  page.replaceChildren();
  show();
}
sample.addEventListener("change", () => turnTo(Number(sample.value)));
page.addEventListener("change", () => { showPicture(); showBoxes(); });
byId("before").addEventListener("click", () => turnTo(Number(sample.value) - 1));
byId("after").addEventListener("click", () => turnTo(Number(sample.value) + 1));

number();
read();
