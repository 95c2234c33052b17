// The page of cells: one cell after the other, by keys or by touch. Only Enter (or the button) decides;
// all other keys choose what it would decide.
import { Problem, ask, problemOf } from "./asking.js";
import { Editor } from "./editor.js";
import { Grid } from "./grid.js";
import { differences, doubts, draw, element, strip } from "./marking.js";
import { Outbox } from "./outbox.js";
import { Viewer } from "./viewer.js";
import { Words } from "./words.js";

const AHEAD = 4; // Cells that are loaded before they are needed.
const PASSED = 200; // Cells that are passed over before they come again.
const NARROWEST = 7; // Pixels of a character below which no strip is drawn under a crop.
const ABSENT = Symbol("absent");
const PAUSE = 1200; // Milliseconds after the last decision before the counts are asked for.
const GLANCE = 200; // Milliseconds that nobody decides in: an Enter so soon was meant for the cell before.
const OPEN = new Set(["abstained", "failed"]);

const $ = (id) => document.getElementById(id);
const root = $("desk");
const { root: base, run, reviewer } = root.dataset;
const words = new Words(JSON.parse(root.dataset.words));
const say = (key, values) => words.say(key, values);

const addressOf = (cell) => `${cell.document}/${encodeURIComponent(cell.field)}`;
const nameOf = (cell) => `${cell.document}:${cell.field}`;
const same = (a, b) => a && b && a.document === b.document && a.field === b.field;
const partName = (name) => (words.has(`part_${name}`) ? say(`part_${name}`) : name);

let cell = null; // The one that is shown.
let chosen; // What was chosen instead of its value: a text, ABSENT, or undefined.
let checked = null; // What the desk told of the text in the editor.
let warned = null; // The text that was warned of: Enter again takes it.
let scope = { order: "doubt", schema: null, field: null, document: root.dataset.document || null };
let ahead = [];
let past = [];
let passed = [];
let drafts = new Map();
const tables = new Map(); // Name of a cell → the rows that were accepted: taken back, they are there again.
let filling = null;
let last = null; // Id of the last judgement that was acknowledged.
let done = 0;
let waiting = null;
let plan = null;
let claimed = null;
let page = 1;
let inTable = null; // The cell of a table that has the focus: {row, column, evidence}.
let counting = 0;
let shownAt = 0;

const crops = new Map(); // Name of a cell → promise of {url, box} or {said}.

const viewer = new Viewer(
  { stage: $("stage"), turned: $("turned"), image: $("page"), box: $("box"), placeholder: $("nopage") },
  words,
);
const editor = new Editor(
  $("editor"),
  words,
  {
    announce,
    suggest: async (text) => {
      const { schema, field } = cell;
      try {
        const path = `${base}/api/suggest/${encodeURIComponent(schema)}/${encodeURIComponent(field)}`;
        return (await ask(`${path}?q=${encodeURIComponent(text)}`)).names;
      } catch {
        return []; // Names are an offer: typing goes on without.
      }
    },
  },
  (text) => look(text),
);
const grid = new Grid($("grid"), words, {
  announce,
  accept,
  leave: focusCard,
  changed: () => {
    warned = null;
    hint("");
    drawChoice();
  },
  check: async (column, value) => {
    try {
      return await ask(`${base}/api/check/${addressOf(cell)}`, { value, column });
    } catch {
      return null; // It is told again when the table is saved.
    }
  },
  focused: lookAt,
});
const outbox = new Outbox(
  `ocr_moe:${run}:${reviewer}:`,
  (entry) => ask(`${base}/api/cell/${addressOf(entry)}`, { value: entry.value, revision: entry.revision }),
  { saved, refused: tellRefused, changed: tellSaving },
);

function announce(text) {
  $("live").textContent = text;
}

// Notices: sentences that go by themselves, unless somebody has to do something.
function notice(text, { kind = "", actions = [], stays = false } = {}) {
  const made = element("div", `notice ${kind}`);
  made.append(element("span", "", text));
  const row = element("span", "row");
  for (const [label, act] of actions) {
    const button = element("button", "tiny", label);
    button.type = "button";
    button.addEventListener("click", () => {
      made.remove();
      act();
    });
    row.append(button);
  }
  if (actions.length) made.append(row);
  $("notices").append(made);
  while ($("notices").children.length > 4) {
    const oldest = [...$("notices").children].find((each) => !each.dataset.stays);
    if (!oldest) break;
    oldest.remove();
  }
  if (stays) made.dataset.stays = "yes";
  else setTimeout(() => made.remove(), 6000);
  return made;
}

// What comes next.

function known() {
  const held = [cell, ...ahead, ...outbox.entries, ...passed].filter(Boolean);
  return held.slice(0, 380).map((each) => [each.document, each.field]);
}

function fill() {
  filling ??= (async () => {
    const { cells } = await ask(`${base}/api/next`, { ...scope, skip: known(), limit: AHEAD });
    for (const each of cells) {
      if ([cell, ...ahead].some((other) => same(each, other))) continue;
      ahead.push(each);
      loadAhead(each);
    }
  })().finally(() => {
    filling = null;
  });
  return filling;
}

function loadAhead(each) {
  cropOf(each);
  viewer.load(pageAddress(each, each.evidence?.page ?? 1));
}

function pageAddress(each, number) {
  const width = Math.min(innerWidth, 1000) * devicePixelRatio > 1200 ? 2000 : 1200;
  return `${base}/img/page/${each.document}/${number}?w=${width}`;
}

// What is printed for a cell, or for one of a table's: {row, column}.
function cropOf(each, of = null) {
  const name = of ? `${nameOf(each)}:${of.row}:${of.column}` : nameOf(each);
  const query = of ? `?row=${of.row}&column=${encodeURIComponent(of.column)}` : "";
  if (!crops.has(name)) {
    crops.set(
      name,
      (async () => {
        if (!each.evidence && !of) return { said: say("no_place") };
        try {
          const response = await fetch(`${base}/img/crop/${addressOf(each)}${query}`);
          if (!response.ok) return { said: (await problemOf(response)).message };
          const box = response.headers.get("Crop-Box").split(",").map(Number);
          return { url: URL.createObjectURL(await response.blob()), box };
        } catch {
          crops.delete(name);
          return { said: say("offline") };
        }
      })(),
    );
    if (crops.size > 24) forget(crops.keys().next().value);
  }
  return crops.get(name);
}

async function forget(name) {
  const kept = crops.get(name);
  if (!kept) return;
  crops.delete(name);
  const { url } = await kept;
  if (url && $("crop").src !== url) URL.revokeObjectURL(url);
}

async function advance() {
  if (cell) past.push({ document: cell.document, field: cell.field });
  if (!ahead.length) {
    cell = null;
    try {
      await fill();
      if (!ahead.length && passed.length) {
        passed = [];
        await fill();
        if (ahead.length) notice(say("skipped_again"));
      }
    } catch (error) {
      await unreachable(error);
      return advance();
    }
  }
  const next = ahead.shift();
  if (next) show(next);
  else showEmpty();
  if (ahead.length < AHEAD - 1) fill().catch(() => {});
}

// Say what is wrong, and wait a little before the same is tried again.
async function unreachable(error) {
  if (error instanceof Problem && error.status === 401) {
    notice(error.message, { kind: "bad", stays: true });
    await new Promise(() => {}); // Nothing goes on until somebody says who they are.
  }
  const told = notice(error instanceof Problem ? error.message : say("offline"), { kind: "bad", stays: true });
  await new Promise((after) => setTimeout(after, 2000));
  told.remove();
}

// Show a cell by its name, as it stands now.
async function open(wanted) {
  try {
    const found = await ask(`${base}/api/cell/${addressOf(wanted)}`);
    if (cell && !same(cell, found)) {
      ahead.unshift(cell);
    }
    ahead = ahead.filter((each) => !same(each, found));
    passed = passed.filter((each) => !same(each, found));
    show(found);
    return true;
  } catch (error) {
    notice(error instanceof Problem ? error.message : say("offline"), { kind: "bad" });
    return false;
  }
}

async function back() {
  const wanted = past.pop();
  if (!wanted) return;
  keepDraft();
  const here = past.length;
  await open(wanted);
  past.length = Math.min(past.length, here);
}

// A cell on the page.

function show(next, { quietly = false } = {}) {
  if (!same(cell, next)) shownAt = performance.now();
  cell = next;
  chosen = undefined;
  checked = null;
  warned = null;
  editor.end();
  inTable = null;
  const draft = drafts.get(nameOf(cell));
  root.classList.toggle("tabular", isTable());
  if (isTable()) grid.begin(cell.table, draft, cell.field, cell.checked?.cells);
  else grid.end();
  $("empty").hidden = true;
  for (const id of ["card", "actions", "viewer"]) $(id).hidden = false;
  $("hint").hidden = true;
  $("name").textContent = cell.field;
  const place = [cell.title];
  if (cell.place.page > 1) place.push(say("of_page", { page: cell.place.page }));
  if (cell.place.part > 1) place.push(say("of_part", { part: cell.place.part }));
  $("where").textContent = place.join(" · ");
  $("status").textContent = say(`status_${cell.status}`);
  $("status").className = `chip ${{ verified: "good", accepted: "good", failed: "bad" }[cell.status] ?? "check"}`;
  $("status").hidden = cell.hidden;
  $("sure").textContent =
    cell.hidden || cell.value === null || cell.confidence === null ? "" : say("sure", { chance: words.chance(cell.confidence) });
  $("regroup").href = `${base}/documents/${cell.document}`;
  page = cell.evidence?.page ?? 1;
  drawVerdict(cell.checked, cell.value);
  drawValue();
  drawOffered();
  drawMore();
  drawCrop();
  drawPage();
  const address = new URL(location.href);
  address.searchParams.set("cell", nameOf(cell));
  history.replaceState(null, "", address);
  keep();
  if (isTable() ? cell.hidden : draft !== undefined || (cell.hidden && cell.kind !== "enum")) edit(draft ?? "");
  else if (!quietly) focusCard();
  if (!quietly) {
    const value = cell.hidden ? say("is_hidden") : saidOf(cell.value);
    announce(say("announce", { field: cell.field, value: value.slice(0, 200), status: say(`status_${cell.status}`) }));
  }
}

const isTable = () => cell?.kind === "table";

// A value as a sentence has it: of a table, how many rows it has.
function saidOf(value) {
  if (value === null) return say("nothing_read");
  if (!isTable()) return value;
  try {
    return say("rows", { n: JSON.parse(value).length });
  } catch {
    return value;
  }
}

// Show what is printed for a cell of the table that has the focus.
function lookAt(evidence, row, column) {
  inTable = evidence && row !== null ? { row, column, evidence } : null;
  page = (inTable ?? cell).evidence?.page ?? page;
  drawCrop();
  drawPage();
}

function showEmpty() {
  cell = null;
  editor.end();
  grid.end();
  for (const id of ["card", "actions", "viewer"]) $(id).hidden = true;
  $("empty").hidden = false;
  $("empty").focus();
  announce(say("all_done"));
  count();
}

// What Enter would write down: a text, ABSENT, or null where there is nothing yet.
function wanted() {
  if (editor.open) return editor.text;
  if (isTable() && chosen !== ABSENT) return grid.text;
  return chosen === undefined ? cell.value : chosen;
}

function drawValue() {
  const value = wanted();
  const into = $("value");
  const asGrid = isTable() && value !== ABSENT;
  into.hidden = editor.open || asGrid;
  $("grid").hidden = !asGrid;
  into.className = `value ${cell.kind}`;
  $("absent").setAttribute("aria-pressed", String(value === ABSENT));
  if (editor.open) {
    drawStrip(checked?.value ?? "", checked?.groups ?? []);
    return;
  }
  if (asGrid) {
    drawStrip("", []);
    return;
  }
  if (value === null || value === ABSENT) {
    into.replaceChildren(element("span", "none", say(value === ABSENT ? "is_absent" : "nothing_read")));
    drawStrip("", []);
    return;
  }
  const own = chosen === undefined;
  const groups = own ? cell.groups : (cell.candidates.find((each) => each.value === value)?.groups ?? []);
  const title = (p) => say("doubtful_character", { chance: words.chance(p) });
  const marks = own ? doubts(cell.characters, title) : differences(value, cell.value);
  draw(into, value, { groups, marks, part: partName });
  drawStrip(value, groups, marks);
}

// A code's characters under the printed ones.
async function drawStrip(value, groups, marks = () => null) {
  const into = $("strip");
  const of = cell;
  const span = of.evidence?.span;
  into.hidden = true;
  if (!value || !span || of.kind !== "code") return;
  const { box } = await cropOf(of);
  if (!box || cell !== of) return;
  const [x0, , x1] = of.evidence.box;
  const wide = box[2] - box[0];
  const left = (x0 + span[0] * (x1 - x0) - box[0]) / wide;
  const width = ((span[1] - span[0]) * (x1 - x0)) / wide;
  const each = (width * $("crop").clientWidth) / Math.max(value.length, of.value?.length ?? 0);
  if (each < NARROWEST) return;
  strip(into, value, groups, marks);
  const start = $("crop").offsetLeft + left * $("crop").clientWidth;
  into.style.left = `${start}px`;
  into.style.setProperty("--each", `${each}px`);
  into.hidden = false;
}

async function drawCrop() {
  const [of, place] = [cell, inTable];
  const { url, said } = await cropOf(of, place);
  if (cell !== of || inTable !== place) return;
  $("crop").hidden = !url;
  $("nocrop").hidden = Boolean(url);
  $("nocrop").textContent = said ?? "";
  if (url) {
    $("crop").src = url;
    $("crop").alt = say("crop_image", { field: place?.column ?? of.field });
    await $("crop").decode().catch(() => {});
    if (cell === of && !isTable()) drawValue();
  } else {
    $("crop").removeAttribute("src");
  }
}

function drawPage() {
  const { evidence } = inTable ?? cell;
  const at = page === (evidence?.page ?? 1) ? (evidence?.box ?? null) : null;
  $("pages").hidden = cell.place.pages < 2;
  $("pageno").textContent = `${page} / ${cell.place.pages}`;
  viewer.show(pageAddress(cell, page), at, {
    title: say("page_image", { page, title: cell.title }),
    region: cell.region,
  });
}

function drawOffered() {
  const into = $("offered");
  into.replaceChildren();
  if (cell.hidden && cell.kind !== "enum") return;
  const offers =
    cell.kind === "enum"
      ? cell.choices.map((value) => ({
          chance: null,
          experts: [],
          ...cell.candidates.find((each) => each.value === value),
          value,
        }))
      : cell.candidates;
  if (!offers.length) return;
  const head = element("h3", "", say(cell.kind === "enum" ? "choices" : "candidates"));
  head.id = "offers";
  const list = element("ol", "offers");
  list.setAttribute("aria-labelledby", "offers");
  offers.forEach((offer, i) => {
    const item = element("li");
    const button = element("button", "offer");
    button.type = "button";
    button.dataset.value = offer.value;
    if (i < 9) button.append(element("kbd", "", String(i + 1)));
    const shown = element("span", `shown ${cell.kind}`);
    const marks = cell.hidden ? () => null : differences(offer.value, cell.value);
    if (isTable()) shown.textContent = saidOf(offer.value);
    else draw(shown, offer.value, { groups: offer.groups ?? [], marks });
    button.append(shown);
    if (!cell.hidden && (offer.experts.length || cell.kind !== "enum")) {
      const who = offer.experts.join(" · ");
      const odds = element("span", "odds");
      odds.append(element("b", "", words.chance(offer.chance)), element("span", "by", who));
      button.append(odds);
    }
    button.addEventListener("click", () => choose(offer.value));
    item.append(button);
    list.append(item);
  });
  into.append(head, list);
  drawChoice();
}

function drawChoice() {
  const value = cell && !editor.open ? wanted() : null;
  for (const button of document.querySelectorAll(".offer")) {
    button.setAttribute("aria-pressed", String(button.dataset.value === value));
  }
}

function drawMore() {
  const into = $("more");
  into.replaceChildren();
  const told = (title, lines) => {
    const part = element("div", "told");
    part.append(element("h3", "", title));
    const list = element("ul");
    list.append(...lines);
    part.append(list);
    into.append(part);
  };
  if (cell.hidden) into.append(element("p", "notice", say("is_hidden")));
  if (cell.notes.length && !cell.hidden) told(say("notes"), cell.notes.map((note) => element("li", "", note)));
  if (cell.judgements.length) {
    told(
      say("history"),
      cell.judgements.map(({ reviewer: who, at, value, undone }) => {
        const line = element("li", undone ? "undone" : "");
        line.append(element("span", "", say("said", { who, value: value === null ? say("is_absent") : saidOf(value) })));
        const when = element("time", "soft small", ` ${new Date(at).toLocaleString(root.dataset.language)}`);
        when.dateTime = at;
        line.append(when);
        if (undone) line.append(element("span", "soft small", ` · ${say("taken_back")}`));
        return line;
      }),
    );
  }
}

function focusCard() {
  $("card").focus({ preventScroll: true });
}

function hint(text) {
  $("hint").textContent = text;
  $("hint").hidden = !text;
  if (text) announce(text);
}

// Choosing and deciding.

function choose(value) {
  if (editor.open) {
    if (value === ABSENT) leaveEditor();
    else {
      editor.text = value;
      $("input").focus();
      return;
    }
  }
  if (isTable()) {
    if (value !== ABSENT) grid.load(value);
    chosen = value === ABSENT ? ABSENT : undefined;
  } else chosen = value === cell.value && value !== null ? undefined : value;
  hint("");
  drawValue();
  drawChoice();
  if (!editor.open && !isTable()) lookAtChoice(value);
  focusCard();
  announce(value === ABSENT ? say("is_absent") : saidOf(value));
}

function edit(text) {
  if (isTable()) {
    chosen = undefined;
    hint("");
    drawValue();
    drawChoice();
    grid.focus();
    return;
  }
  const before = text ?? (typeof wanted() === "string" ? wanted() : "");
  checked = null;
  warned = null;
  hint("");
  editor.begin(cell, before, "name");
  drawValue();
  drawChoice();
}

function leaveEditor() {
  drafts.delete(nameOf(cell));
  checked = null;
  editor.end();
  drawVerdict(cell.checked, cell.value);
  drawValue();
  drawChoice();
  focusCard();
}

function keepDraft() {
  if (isTable() && grid.changed) drafts.set(nameOf(cell), grid.text ?? "[]");
  if (cell && editor.open && editor.text.trim() && editor.text !== cell.value) drafts.set(nameOf(cell), editor.text);
}

let looked = 0;

// Ask the desk what a text comes to, and tell it. `checked` is then about `text`.
async function look(text) {
  const of = cell;
  const turn = ++looked;
  if (!text.trim()) {
    checked = null;
    $("verdict").replaceChildren();
    drawValue();
    return null;
  }
  try {
    const found = await ask(`${base}/api/check/${addressOf(of)}`, { value: text });
    if (cell !== of || turn !== looked || !editor.open) return found;
    checked = { ...found, text };
    drawVerdict(found, text);
    drawValue();
    return found;
  } catch (error) {
    if (error instanceof Problem) hint(error.message);
    return null;
  }
}

async function lookAtChoice(value) {
  drawVerdict(value === cell.value ? cell.checked : null, value);
  if (typeof value !== "string" || value === cell.value) return;
  const of = cell;
  try {
    const found = await ask(`${base}/api/check/${addressOf(of)}`, { value });
    if (cell === of && wanted() === value && !editor.open) drawVerdict(found, value);
  } catch {
    // It is told again when it is saved.
  }
}

function drawVerdict(found, text) {
  const parts = [];
  if (!found) {
    $("verdict").replaceChildren();
    return;
  }
  if (found.refusal) parts.push(element("span", "bad", found.refusal));
  if (found.value !== null && found.value !== text && !isTable()) {
    parts.push(element("span", "as", say("saved_as", { value: found.value })));
  }
  parts.push(...found.doubts.map((each) => element("span", "bad", each)));
  parts.push(...found.merits.map((each) => element("span", "good", each)));
  $("verdict").replaceChildren(...parts);
  $("input")?.setAttribute("aria-invalid", String(Boolean(found.refusal)));
}

async function accept() {
  if (!cell || performance.now() - shownAt < GLANCE) return;
  const of = cell;
  if (isTable()) {
    await grid.settled();
    if (cell !== of) return;
  }
  let value = wanted();
  if (isTable() && value !== ABSENT) {
    const { wrong, grave } = grid;
    if (wrong) {
      hint(wrong.why);
      grid.focus(wrong);
      return;
    }
    if (grave.length && warned !== value) {
      warned = value;
      hint(say("sure_of_it", { doubt: grave.join(" · ") }));
      return;
    }
  }
  if (value === null || (typeof value === "string" && !value.trim())) {
    hint(say("nothing_to_accept"));
    return;
  }
  if (editor.open) {
    const found = checked?.text === value ? checked : await look(value);
    if (cell !== of || !editor.open || editor.text !== value) return;
    if (found?.refusal) {
      hint(found.refusal);
      return;
    }
    if (found?.grave && warned !== value) {
      warned = value;
      hint(say("sure_of_it", { doubt: found.doubts.join(" · ") }));
      return;
    }
    value = found?.value ?? value;
  }
  drafts.delete(nameOf(cell));
  if (isTable()) tables.set(nameOf(cell), value);
  done += 1;
  outbox.add({
    document: cell.document,
    field: cell.field,
    title: cell.title,
    value: value === ABSENT ? null : value,
    revision: cell.revision,
  });
  await advance();
}

function pass() {
  if (!cell) return;
  keepDraft();
  passed.push({ document: cell.document, field: cell.field });
  passed = passed.slice(-PASSED);
  advance();
}

// What was typed into a table is not lost where its acceptance is taken back.
function again(of) {
  const kept = tables.get(nameOf(of));
  if (typeof kept === "string") drafts.set(nameOf(of), kept);
  tables.delete(nameOf(of));
}

async function undo() {
  const unsent = outbox.takeBack();
  if (unsent) {
    done -= 1;
    again(unsent);
    notice(say("undone", { field: unsent.field }));
    return open(unsent);
  }
  await outbox.idle();
  try {
    const { cell: of, changes } = await ask(`${base}/api/undo`, { judgement: last });
    last = null;
    done = Math.max(done - 1, 0);
    if (!of) return undefined;
    past = past.filter((each) => !same(each, of));
    again(of);
    await open(of);
    notice(say("undone", { field: of.field }));
    tellChanges(of, changes);
    count();
  } catch (error) {
    notice(error instanceof Problem ? error.message : say("offline"), { kind: "check" });
  }
  return undefined;
}

// What the desk says of decisions.

function saved(entry, reply) {
  last = reply.judgement ?? last;
  crops.delete(nameOf(entry));
  tellChanges(entry, reply.changes);
  count();
}

function tellChanges(from, changes) {
  const told = changes.filter((each) => each.before.status !== each.after.status || each.moved);
  const shown = told.slice(0, 3).map((each) => {
    const key = each.document === from.document ? "reweighed" : "reweighed_other";
    const status = say(`status_${each.after.status}`);
    return say(key, { from: from.field, field: each.field, title: each.title, status });
  });
  if (told.length > 3) shown.push(say("reweighed_more", { n: told.length - 3 }));
  if (shown.length) notice(shown.join(" · "), { kind: told.some((each) => OPEN.has(each.after.status)) ? "check" : "" });
  for (const change of changes) refresh(change);
}

// A cell that is at hand here was changed by a decision elsewhere.
async function refresh(change) {
  crops.delete(nameOf(change));
  const index = ahead.findIndex((each) => same(each, change));
  const current = same(cell, change) && !editor.open && chosen === undefined && !grid.changed;
  if (index < 0 && !current) return;
  try {
    const now = await ask(`${base}/api/cell/${addressOf(change)}`);
    const at = ahead.findIndex((each) => same(each, change));
    if (at >= 0) {
      if (OPEN.has(now.status) || now.hidden) ahead[at] = now;
      else ahead.splice(at, 1);
    }
    if (same(cell, change) && !editor.open && chosen === undefined && !grid.changed) show(now, { quietly: true });
  } catch {
    ahead = ahead.filter((each) => !same(each, change));
  }
}

function tellRefused(entry) {
  done = Math.max(done - 1, 0);
  const text = say("refused", { title: entry.title, field: entry.field, why: entry.refused });
  notice(text, {
    kind: "bad",
    stays: true,
    actions: [
      [
        say("look_again"),
        async () => {
          if (entry.value !== null) drafts.set(nameOf(entry), entry.value);
          if (await open(entry)) outbox.remove(entry);
          else tellRefused(entry);
        },
      ],
      [say("dismiss"), () => outbox.remove(entry)],
    ],
  });
}

let away = null;

function tellSaving() {
  const open = outbox.open.length;
  const shown = $("saving");
  shown.classList.toggle("bad", outbox.failing);
  if (outbox.failing) shown.textContent = say("not_saved", { n: open });
  else shown.textContent = open ? say("saving") : done ? say("saved") : "";
  if (outbox.failing && !away) away = notice(say("offline"), { kind: "bad", stays: true });
  if (!outbox.failing && away) {
    away.remove();
    away = null;
  }
  drawCounts();
}

function drawCounts() {
  if (waiting === null) return;
  const left = Math.max(waiting - outbox.open.length, 0);
  $("counts").textContent = [say("progress", { done, left }), planned()].filter(Boolean).join(" · ");
  $("progress").max = Math.max(done + left, 1);
  $("progress").value = done;
}

function planned() {
  if (!plan) return "";
  if (plan.stop) return say("plan_stop");
  const target = `${+(plan.target * 100).toFixed(2)} %`;
  return plan.reached ? say("plan_reached", { target }) : say("plan", { n: plan.to_check, target });
}

function count() {
  clearTimeout(counting);
  counting = setTimeout(async () => {
    const query = new URLSearchParams();
    if (scope.field) query.set("field", scope.field);
    if (scope.schema) query.set("schema", scope.schema);
    try {
      ({ waiting, plan = null } = await ask(`${base}/api/progress?${query}`));
      drawCounts();
    } catch {
      // Counts are an extra: the next decision asks again.
    }
  }, waiting === null ? 0 : PAUSE);
}

// Keep the document from others while it is worked on.
async function keep(again = false) {
  const of = cell;
  if (!of || (!again && claimed === of.document)) return;
  claimed = of.document;
  try {
    const { minutes } = await ask(`${base}/api/claim`, { document: of.document });
    clearInterval(keep.timer);
    keep.timer = setInterval(() => keep(true), minutes * 30_000);
  } catch (error) {
    claimed = null;
    if (!(error instanceof Problem) || error.kind !== "claimed" || cell !== of) return;
    notice(say("passed_on", { who: error.more.who, title: of.title }), { kind: "check" });
    keepDraft();
    ahead = ahead.filter((each) => each.document !== of.document);
    passed.push({ document: of.document, field: of.field });
    cell = null;
    advance();
  }
}

addEventListener("pagehide", () => {
  fetch(`${base}/api/release`, { method: "POST", keepalive: true }).catch(() => {});
});
addEventListener("pageshow", (event) => {
  if (event.persisted) keep(true);
});

// Keys.

function turnPage(step) {
  if (!cell) return;
  page = Math.min(Math.max(page + step, 1), cell.place.pages);
  drawPage();
}

function whole() {
  $("whole").setAttribute("aria-pressed", String(viewer.toggle()));
}

function sheet(open = !root.classList.contains("sheet")) {
  root.classList.toggle("sheet", open);
  $("sheet").setAttribute("aria-expanded", String(open));
  if (open) $("stage").focus();
  else focusCard();
}

function showKeys() {
  $("keys").showModal();
}

const REGIONS = ["card", "stage", "accept"];

function nextRegion(back) {
  const at = REGIONS.findIndex((id) => $(id).contains(document.activeElement));
  $(REGIONS.at((at + (back ? -1 : 1) + REGIONS.length) % REGIONS.length)).focus();
}

const COMMANDS = {
  e: () => edit(),
  F2: () => edit(),
  a: () => choose(ABSENT),
  u: undo,
  "?": showKeys,
  "？": showKeys,
  o: whole,
  r: () => viewer.turn(),
  "+": () => viewer.closer(),
  "=": () => viewer.closer(),
  "-": () => viewer.farther(),
  "[": () => turnPage(-1),
  "]": () => turnPage(1),
};

function inEditor(event) {
  if (event.key === "Enter" && (!event.shiftKey || event.target.tagName === "INPUT")) {
    event.preventDefault();
    if (editor.picking) editor.pick();
    else accept();
  } else if (event.key === "Escape") {
    event.preventDefault();
    if (editor.closeList()) return;
    if (cell.hidden) focusCard();
    else leaveEditor();
  } else if (event.altKey && /^Digit[1-9]$/.test(event.code)) {
    event.preventDefault();
    document.querySelectorAll(".offer")[Number(event.code.slice(5)) - 1]?.click();
  } else if (event.key === "Tab" && !event.shiftKey && event.altKey === false && event.ctrlKey === false) {
    event.preventDefault();
    pass();
  }
}

document.addEventListener("keydown", (event) => {
  // While characters are composed, keys belong to the input method.
  if (event.isComposing || event.keyCode === 229 || $("keys").open) return;
  if (event.key === "F6") {
    event.preventDefault();
    nextRegion(event.shiftKey);
    return;
  }
  if (event.target.id === "input") {
    inEditor(event);
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("select, dialog")) return;
  if (!cell) {
    // The last one is decided, and may have been decided too fast.
    if (event.key.toLowerCase() === "u" && !event.repeat) undo();
    return;
  }
  const onCard = event.target === $("card") || event.target === document.body;
  if (onCard && event.key === "Enter") {
    event.preventDefault();
    if (!event.repeat) accept();
  } else if (onCard && event.key === "Tab") {
    event.preventDefault();
    if (event.shiftKey) back();
    else pass();
  } else if (event.key === "Escape") {
    if (root.classList.contains("sheet")) sheet(false);
    focusCard();
  } else if (/^[1-9]$/.test(event.key)) {
    document.querySelectorAll(".offer")[Number(event.key) - 1]?.click();
  } else {
    const command = COMMANDS[event.key] ?? COMMANDS[event.key.toLowerCase()];
    if (!command || (event.repeat && !["+", "=", "-"].includes(event.key))) return;
    event.preventDefault();
    command();
  }
});

for (const [id, act] of Object.entries({
  accept,
  absent: () => choose(ABSENT),
  edit: () => edit(),
  next: pass,
  back,
  undo,
  help: showKeys,
  zoomin: () => viewer.closer(),
  zoomout: () => viewer.farther(),
  whole,
  turn: () => viewer.turn(),
  pagebefore: () => turnPage(-1),
  pageafter: () => turnPage(1),
  sheet: () => sheet(),
  closesheet: () => sheet(false),
})) {
  $(id).addEventListener("click", act);
}
$("value").addEventListener("click", () => cell && edit());
$("keys").addEventListener("close", focusCard);
addEventListener("resize", () => cell && drawValue());

// Which cells, and the first of them.

function readScope() {
  const option = $("field").selectedOptions[0];
  scope.order = $("order").value;
  scope.field = option.value || null;
  scope.schema = option.dataset.schema || null;
}

async function begin() {
  readScope();
  waiting = null;
  count();
  await advance();
}

for (const id of ["order", "field"]) {
  $(id).addEventListener("change", () => {
    const option = $("field").selectedOptions[0];
    const address = new URL(location.href);
    address.searchParams.set("order", $("order").value);
    for (const [name, value] of [["field", option.value], ["schema", option.dataset.schema]]) {
      if (value) address.searchParams.set(name, value);
      else address.searchParams.delete(name);
    }
    history.replaceState(null, "", address);
    ahead = [];
    passed = [];
    cell = null;
    begin();
  });
}

for (const entry of outbox.refused) tellRefused(entry);
if (outbox.open.length) outbox.run();
const first = root.dataset.cell;
if (first) {
  const at = first.indexOf(":");
  // Who comes to a cell of a document goes on with the others of it.
  if (scope.document) $("field").value = "";
  readScope();
  count();
  if (await open({ document: first.slice(0, at), field: first.slice(at + 1) })) fill().catch(() => {});
  else await begin();
} else {
  await begin();
}
