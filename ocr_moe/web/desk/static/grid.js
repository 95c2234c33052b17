// A table as a grid: one cell has the focus, arrows go from cell to cell, typing changes one. What a row
// says is kept as text; what may stand in a column the desk tells (`check`). https://www.w3.org/WAI/ARIA/apg/patterns/grid/
import { element } from "./marking.js";

const LOOKS = { abstained: "doubt", failed: "doubt", verified: "good", absent: "none", new: "typed" };
const KEPT = 100; // Changes that can be taken back.
const WIDEST = 24; // Characters of a column's editor, at most.

const isDoubtful = (cell) => cell.status === "abstained" || cell.status === "failed";
const empty = () => ({ value: "", status: "new", confidence: null, notes: [], evidence: null });

export class Grid {
  // `told` has `check(column, text)` → what the desk tells of it, `focused(evidence, row, column)`,
  // `changed()`, `accept()`, `leave()` and `announce(text)`.
  constructor(root, words, told) {
    this.root = root;
    this.words = words;
    this.told = told;
    this.columns = null;
    this.input = null;
    root.addEventListener("keydown", (event) => this.#key(event));
    root.addEventListener("copy", (event) => this.#copy(event));
    root.addEventListener("paste", (event) => this.#paste(event));
    root.addEventListener("focusin", (event) => this.#focused(event.target.closest("td[data-column]")));
    // What has the focus already is changed by another click or tap.
    let again = null;
    root.addEventListener("pointerdown", (event) => {
      const td = event.target.closest("td[data-column]");
      again = td && td === document.activeElement ? td : null;
    });
    root.addEventListener("click", (event) => {
      if (again && again === event.target.closest("td[data-column]")) this.#edit();
    });
  }

  get open() {
    return this.columns !== null;
  }

  // `checked` is what the desk tells of cells as they were read.
  begin(table, text, field, checked = []) {
    this.columns = table.columns;
    this.field = field;
    this.before = [];
    this.pending = new Set();
    this.active = { row: 0, column: 0 };
    this.read = table.rows.map((row, from) => ({ from, cells: this.#cells(row) }));
    for (const { row, column, refusal, doubts } of checked) {
      Object.assign(this.read[row]?.cells[column] ?? {}, { refusal, doubts });
    }
    this.rows = this.read.map((row) => ({ from: row.from, cells: { ...row.cells } }));
    if (!this.rows.length) this.rows.push(this.#fresh());
    const own = this.text;
    if (text !== undefined && text !== own) this.#load(text);
    this.first = own;
    this.#draw();
    this.root.hidden = false;
  }

  end() {
    this.columns = null;
    this.input = null;
    this.root.hidden = true;
    this.root.replaceChildren();
  }

  // The rows as one text, as the desk writes them; null where no cell has a value.
  get text() {
    const kept = this.rows
      .map(({ cells }) => {
        const row = {};
        for (const { name } of this.columns) if (cells[name].value) row[name] = cells[name].value;
        return row;
      })
      .filter((row) => Object.keys(row).length);
    return kept.length ? JSON.stringify(kept) : null;
  }

  get changed() {
    return this.open && this.text !== this.first;
  }

  // Put other rows in place of these, such as another reading.
  load(text) {
    this.#remember();
    this.#load(text);
    this.active = { row: 0, column: 0 };
    this.#draw();
    this.told.changed();
  }

  // What was typed is taken, and what the desk says of it is there.
  async settled() {
    this.#commit();
    await Promise.all([...this.pending]);
  }

  // What the desk says that somebody should know before they accept: the first cell that cannot be
  // saved so, and the doubts about what was typed.
  get wrong() {
    for (const [row, { cells }] of this.rows.entries()) {
      const column = this.columns.findIndex(({ name }) => cells[name].refusal);
      if (column >= 0) return { row, column, why: cells[this.columns[column].name].refusal };
    }
    return null;
  }

  get grave() {
    const all = this.rows.flatMap(({ cells }) => Object.values(cells));
    return all.filter((cell) => cell.grave).flatMap((cell) => cell.doubts);
  }

  focus(at = this.#next(0, -1, 1) ?? this.active) {
    this.#commit();
    this.active = { row: at.row, column: at.column };
    this.#mark();
    this.#td()?.focus();
  }

  // Inside.

  #cells(row) {
    const cells = {};
    for (const { name } of this.columns) {
      cells[name] = { ...empty(), ...(row[name] ?? { status: "absent" }) };
      cells[name].value ??= "";
    }
    return cells;
  }

  #fresh() {
    return { from: null, cells: this.#cells(Object.fromEntries(this.columns.map(({ name }) => [name, empty()]))) };
  }

  #load(text) {
    let rows = [];
    try {
      rows = JSON.parse(text);
    } catch {
      rows = []; // What is no table has no rows.
    }
    const left = new Set(this.read);
    this.rows = (Array.isArray(rows) ? rows : []).map((said) => {
      // The row as it was read, if one is like it: where its cells stand is known.
      let like = null;
      let most = 0;
      for (const row of left) {
        const alike = this.columns.filter(({ name }) => said[name] && row.cells[name].value === String(said[name])).length;
        if (alike > most) [like, most] = [row, alike];
      }
      left.delete(like);
      const cells = {};
      for (const { name } of this.columns) {
        const was = like?.cells[name];
        const value = said[name] === undefined || said[name] === null ? "" : String(said[name]);
        cells[name] = was && was.value === value ? was : { ...empty(), value, evidence: was?.evidence ?? null };
      }
      return { from: like?.from ?? null, cells };
    });
    if (!this.rows.length) this.rows.push(this.#fresh());
  }

  #draw() {
    const table = element("table", "cellgrid");
    table.setAttribute("role", "grid");
    table.setAttribute("aria-label", this.words.say("grid", { field: this.field }));
    table.setAttribute("aria-rowcount", String(this.rows.length + 1));
    const head = element("tr");
    const corner = element("th", "no");
    corner.append(element("span", "sr-only", "#"));
    head.append(corner);
    for (const { name, required } of this.columns) {
      const th = element("th", "", name);
      th.scope = "col";
      if (required) th.append(element("i", "", "*"));
      head.append(th);
    }
    const thead = element("thead");
    thead.append(head);
    const body = element("tbody");
    this.rows.forEach((_, row) => body.append(this.#row(row)));
    table.append(thead, body);
    const box = element("div", "rows");
    box.append(table);
    const line = element("p", "small of-cell");
    line.setAttribute("aria-live", "polite");
    const hint = element("p", "hint small", this.words.say("grid_hint"));
    this.root.replaceChildren(this.#tools(), box, line, hint);
    this.#mark();
    this.#count();
  }

  #tools() {
    const row = element("div", "row tools-of-rows");
    row.setAttribute("role", "group");
    row.setAttribute("aria-label", this.words.say("grid_tools"));
    for (const [key, act] of [
      ["add", () => this.#add()],
      ["delete", () => this.#delete()],
      ["up", () => this.#move(-1)],
      ["down", () => this.#move(1)],
      ["back", () => this.#back()],
    ]) {
      const button = element("button", "tiny", this.words.say(`grid_${key}`));
      button.type = "button";
      button.dataset.act = key;
      button.addEventListener("click", act);
      row.append(button);
    }
    row.append(element("span", "small soft count"));
    return row;
  }

  #row(row) {
    const tr = element("tr");
    tr.setAttribute("aria-rowindex", String(row + 2));
    const th = element("th", "no", String(row + 1));
    th.scope = "row";
    tr.append(th);
    this.columns.forEach((_, column) => {
      const td = element("td");
      td.setAttribute("role", "gridcell");
      td.dataset.row = row;
      td.dataset.column = column;
      td.tabIndex = -1;
      tr.append(td);
      this.#fill(td);
    });
    return tr;
  }

  #fill(td) {
    const [row, column] = [Number(td.dataset.row), Number(td.dataset.column)];
    const { name, kind } = this.columns[column];
    const cell = this.rows[row].cells[name];
    td.className = [kind, LOOKS[cell.status] ?? "", cell.refusal ? "wrong" : ""].join(" ").trim();
    const shown = element("span", "v", cell.value);
    td.replaceChildren(shown);
    if (isDoubtful(cell) && cell.confidence !== null) {
      const odds = element("span", "sure", this.words.chance(cell.confidence));
      odds.setAttribute("aria-hidden", "true");
      td.append(odds);
    }
    td.setAttribute("aria-invalid", String(Boolean(cell.refusal)));
    td.setAttribute(
      "aria-label",
      this.words.say("grid_cell", {
        row: row + 1,
        column: name,
        value: (cell.value || this.words.say("grid_empty")).slice(0, 200),
        status: cell.refusal ?? this.words.say(`status_${cell.status}`),
      }),
    );
  }

  #td({ row, column } = this.active) {
    return this.root.querySelector(`td[data-row="${row}"][data-column="${column}"]`);
  }

  #cell({ row, column } = this.active) {
    return this.rows[row].cells[this.columns[column].name];
  }

  // One cell of the grid is reached by Tab from outside: the active one.
  #mark() {
    this.root.querySelector("td[tabindex='0']")?.setAttribute("tabindex", "-1");
    this.root.querySelector("tr.here")?.classList.remove("here");
    const td = this.#td();
    if (!td) return;
    td.tabIndex = 0;
    td.parentElement.classList.add("here");
  }

  #count() {
    const cells = this.rows.flatMap((row) => Object.values(row.cells));
    const wrong = cells.filter((cell) => cell.refusal).length;
    const open = cells.filter(isDoubtful).length;
    const parts = [this.words.say("rows", { n: this.rows.length })];
    if (wrong) parts.push(this.words.say("grid_wrong", { n: wrong }));
    parts.push(open ? this.words.say("grid_doubtful", { n: open }) : this.words.say("grid_sure"));
    this.root.querySelector(".count").textContent = parts.join(" · ");
    const back = this.root.querySelector("[data-act='back']");
    back.disabled = !this.before.length;
  }

  #focused(td) {
    if (!td || !this.open) return;
    const at = { row: Number(td.dataset.row), column: Number(td.dataset.column) };
    if (this.input && (at.row !== this.active.row || at.column !== this.active.column)) this.#commit();
    this.active = at;
    this.#mark();
    this.#tell();
    this.told.focused(this.#cell().evidence, this.rows[at.row].from, this.columns[at.column].name);
  }

  // What there is to know of the active cell, under the grid.
  #tell() {
    const cell = this.#cell();
    const line = this.root.querySelector(".of-cell");
    const parts = [];
    if (cell.refusal) parts.push(element("span", "bad", cell.refusal));
    for (const doubt of cell.doubts ?? []) parts.push(element("span", "bad", doubt));
    if (!cell.refusal) parts.push(element("span", "", this.words.say(`status_${cell.status}`)));
    if (cell.confidence !== null && cell.value) {
      parts.push(element("span", "soft", this.words.say("sure", { chance: this.words.chance(cell.confidence) })));
    }
    for (const note of cell.notes) parts.push(element("span", "soft", note));
    line.replaceChildren(...parts);
  }

  #go(row, column) {
    if (row < 0 || column < 0 || row >= this.rows.length || column >= this.columns.length) return false;
    this.active = { row, column };
    this.#mark();
    this.#td().focus();
    return true;
  }

  // The next cell that a person should look at, from a place on; null for none.
  #next(row, column, step) {
    const count = this.rows.length * this.columns.length;
    for (let at = row * this.columns.length + column + step; at >= 0 && at < count; at += step) {
      const place = { row: Math.floor(at / this.columns.length), column: at % this.columns.length };
      const cell = this.#cell(place);
      if (isDoubtful(cell) || cell.refusal) return place;
    }
    return null;
  }

  // Changing.

  #remember() {
    const kept = this.rows.map((row) => ({ from: row.from, cells: { ...row.cells } }));
    this.before = [...this.before, { rows: kept, active: { ...this.active } }].slice(-KEPT);
  }

  #back() {
    this.#cancel();
    const before = this.before.pop();
    if (!before) return;
    this.rows = before.rows;
    this.active = before.active;
    this.#redrawn();
  }

  #redrawn() {
    this.active.row = Math.min(Math.max(this.active.row, 0), this.rows.length - 1);
    const scrolled = this.root.querySelector(".rows").scrollTop;
    this.#draw();
    this.root.querySelector(".rows").scrollTop = scrolled;
    this.#td().focus();
    this.told.changed();
  }

  #add() {
    this.#commit();
    this.#remember();
    const at = this.active.row + 1;
    this.rows.splice(at, 0, this.#fresh());
    this.active = { row: at, column: 0 };
    this.#redrawn();
    this.told.announce(this.words.say("grid_added", { n: at + 1 }));
    this.#edit();
  }

  #delete() {
    this.#cancel();
    this.#remember();
    const { row } = this.active;
    this.rows.splice(row, 1);
    if (!this.rows.length) this.rows.push(this.#fresh());
    this.#redrawn();
    this.told.announce(this.words.say("grid_deleted", { n: row + 1 }));
  }

  #move(step) {
    this.#commit();
    const to = this.active.row + step;
    if (to < 0 || to >= this.rows.length) return;
    this.#remember();
    const [row] = this.rows.splice(this.active.row, 1);
    this.rows.splice(to, 0, row);
    this.active.row = to;
    this.#redrawn();
    this.told.announce(this.words.say("grid_moved", { n: to + 1 }));
  }

  #edit(text) {
    if (this.input) return;
    const td = this.#td();
    const { kind, choices } = this.columns[this.active.column];
    const { value } = this.#cell();
    let input;
    if (choices.length) {
      input = element("select", "in-cell");
      for (const each of new Set(["", ...choices, value])) {
        const option = element("option", "", each || "—");
        option.value = each;
        input.append(option);
      }
      input.value = value;
    } else {
      input = element("input", `in-cell ${kind}`);
      input.type = "text";
      input.value = text ?? value;
      input.size = Math.min(Math.max(value.length + 2, 6), WIDEST);
      input.autocomplete = "off";
      input.spellcheck = false;
    }
    input.setAttribute("aria-label", td.getAttribute("aria-label"));
    this.input = input;
    td.replaceChildren(input);
    input.focus();
    if (text === undefined && input.select) input.select();
    input.addEventListener("blur", () => this.input === input && this.#commit());
  }

  #cancel() {
    if (!this.input) return;
    this.input = null;
    this.#fill(this.#td());
  }

  #commit() {
    if (!this.input) return;
    const { value } = this.input;
    this.input = null;
    const at = { ...this.active };
    if (value !== this.#cell(at).value) {
      this.#remember();
      this.#set(at, value);
      this.told.changed();
    }
    const td = this.#td(at);
    if (td) this.#fill(td);
    this.#count();
  }

  // Put a text into a cell, and ask the desk whether it can stand there.
  #set({ row, column }, text) {
    const { name } = this.columns[column];
    const { cells } = this.rows[row];
    const made = { ...empty(), value: text.trim(), evidence: cells[name].evidence };
    cells[name] = made;
    if (!made.value) return;
    const asked = this.told
      .check(name, made.value)
      .then((found) => {
        if (!found) return;
        Object.assign(made, { refusal: found.refusal, doubts: found.doubts, grave: found.grave });
        if (found.value !== null) made.value = found.value;
        if (!this.open) return;
        const at = this.rows.findIndex((each) => each.cells === cells);
        const td = at < 0 || cells[name] !== made ? null : this.#td({ row: at, column });
        if (td && !td.contains(this.input)) this.#fill(td);
        this.#count();
        if (at === this.active.row && column === this.active.column) this.#tell();
        if (found.refusal) this.told.announce(found.refusal);
      })
      .finally(() => this.pending.delete(asked));
    this.pending.add(asked);
  }

  #copy(event) {
    if (this.input || !event.target.closest("td")) return;
    event.preventDefault();
    event.clipboardData.setData("text/plain", this.#cell().value);
  }

  // Cells out of a spreadsheet: from the active one to the right and down, further rows as needed.
  #paste(event) {
    if (this.input || !event.target.closest("td")) return;
    event.preventDefault();
    const lines = event.clipboardData.getData("text/plain").replace(/\r?\n$/, "").split(/\r?\n/);
    this.#remember();
    const { row, column } = this.active;
    lines.forEach((line, down) => {
      if (row + down >= this.rows.length) this.rows.push(this.#fresh());
      line.split("\t").forEach((text, right) => {
        if (column + right < this.columns.length) this.#set({ row: row + down, column: column + right }, text);
      });
    });
    this.#redrawn();
  }

  // Keys.

  #key(event) {
    if (event.isComposing || event.keyCode === 229) return;
    const td = event.target.closest("td[data-column]");
    if (!td || event.key === "F6") return;
    const taken = this.input ? this.#editing(event) : this.#walking(event);
    if (taken) event.preventDefault();
    // Letters and digits are the cell's here, and no commands of the page.
    if (taken || this.input || event.key.length === 1 || event.key === "Tab") event.stopPropagation();
  }

  #editing(event) {
    const { row, column } = this.active;
    if (event.key === "Enter") {
      this.#commit();
      if (event.ctrlKey || event.metaKey) this.told.accept();
      else if (!this.#go(row + (event.shiftKey ? -1 : 1), column)) this.#td().focus();
    } else if (event.key === "Tab") {
      this.#commit();
      const step = event.shiftKey ? -1 : 1;
      const at = row * this.columns.length + column + step;
      // Whoever types a row goes on typing: an input method needs a place to write in.
      if (this.#go(Math.floor(at / this.columns.length), at % this.columns.length)) this.#edit();
      else this.#td().focus();
    } else if (event.key === "Escape") {
      this.#cancel();
      this.#td().focus();
    } else return false;
    return true;
  }

  #walking(event) {
    const { row, column } = this.active;
    const strong = event.ctrlKey || event.metaKey;
    const { key } = event;
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[key];
    if (step && event.altKey && step[0]) this.#move(step[0]);
    else if (step && !event.altKey) this.#go(row + step[0], column + step[1]);
    else if (key === "Home") this.#go(strong ? 0 : row, 0);
    else if (key === "End") this.#go(strong ? this.rows.length - 1 : row, this.columns.length - 1);
    else if (key === "PageUp") this.#go(Math.max(row - 10, 0), column);
    else if (key === "PageDown") this.#go(Math.min(row + 10, this.rows.length - 1), column);
    else if (key === "Enter" && strong) this.told.accept();
    else if (key === "Enter" || key === "F2") this.#edit();
    else if (key === "Insert") this.#add();
    else if (key === "Delete" && strong) this.#delete();
    else if (key === "Delete" || key === "Backspace") this.#clear();
    else if (key.toLowerCase() === "z" && strong) this.#back();
    else if (key === "Escape") this.told.leave();
    else if (key === "Tab") {
      const next = this.#next(row, column, event.shiftKey ? -1 : 1);
      if (!next) return false;
      this.#go(next.row, next.column);
    } else {
      // The key itself goes into the editor that is opened here: so do those of an input method.
      if (key.length === 1 && !strong && !event.altKey) this.#edit("");
      return false;
    }
    return true;
  }

  #clear() {
    if (!this.#cell().value) return;
    this.#remember();
    this.#set(this.active, "");
    this.#fill(this.#td());
    this.#count();
    this.#tell();
    this.told.changed();
  }
}
