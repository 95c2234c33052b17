"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const words = JSON.parse(document.getElementById("words").textContent);
  const root = document.documentElement;
  const cells = data.cells;
  const $ = (id) => document.getElementById(id);
  const list = $("cells");

  if (root.dataset.langAuto && (navigator.language || "").toLowerCase().startsWith("zh")) {
    root.dataset.lang = "zh";
    root.lang = "zh-CN";
  }
  const t = (key, values = {}) =>
    Object.entries(values).reduce(
      (text, [name, value]) => text.replaceAll(`{${name}}`, String(value)),
      words[`js_${key}`][root.dataset.lang],
    );
  const make = (tag, className = "", text = null) => {
    const made = document.createElement(tag);
    if (className) made.className = className;
    if (text !== null) made.textContent = text;
    return made;
  };
  const field = (cell) => (data.schemas[cell.schema] || { fields: {} }).fields[cell.field] || { kind: "text", values: [], groups: [] };
  const place = (cell) => [cell.document.sha256, cell.document.page, cell.document.part, cell.document.path, cell.field].join("\u0000");

  /* What was decided: place → {value, at}. It outlives the page where the browser lets it. */
  const shelf = `ocr-moe review ${hash(cells.map(place).join("\n") + data.strategy)}`;
  const kept = read(shelf, { decisions: {}, order: [], unsaved: 0, reviewer: "" });
  let here = 0;

  function hash(text) {
    let h = 5381;
    for (let i = 0; i < text.length; i += 1) h = ((h * 33) ^ text.charCodeAt(i)) >>> 0;
    return `${h.toString(16)}-${text.length}`;
  }
  function read(name, otherwise) {
    try {
      return Object.assign(otherwise, JSON.parse(localStorage.getItem(name) || "{}"));
    } catch {
      return otherwise;
    }
  }
  function keep() {
    try {
      localStorage.setItem(shelf, JSON.stringify(kept));
    } catch {
      /* Without storage the decisions stand until the page is left, which warns. */
    }
  }

  function problem(text) {
    $("problem").hidden = !text;
    $("problem").textContent = text;
  }

  function decide(index, value) {
    const cell = cells[index];
    if (!$("reviewer").value.trim()) {
      problem(t("need_name"));
      $("reviewer").focus();
      return;
    }
    if (value !== null && !value.trim()) {
      problem(t("need_value"));
      return;
    }
    problem("");
    const name = place(cell);
    kept.decisions[name] = { value: value === null ? null : value.trim(), at: new Date().toISOString() };
    kept.order = kept.order.filter((each) => each !== name).concat([name]);
    kept.unsaved += 1;
    keep();
    const next = shown().find((each) => each > index && !kept.decisions[place(cells[each])]);
    draw(next === undefined ? index : next);
  }

  function undo(index = null) {
    const name = index === null ? kept.order[kept.order.length - 1] : place(cells[index]);
    if (!name || !kept.decisions[name]) return;
    delete kept.decisions[name];
    kept.order = kept.order.filter((each) => each !== name);
    kept.unsaved += 1;
    keep();
    draw(cells.findIndex((cell) => place(cell) === name));
  }

  function shown() {
    const wanted = $("field").value;
    return cells
      .map((_, index) => index)
      .filter((index) => !wanted || `${cells[index].schema}\u0000${cells[index].field}` === wanted)
      .filter((index) => !$("open").checked || index === here || !kept.decisions[place(cells[index])]);
  }

  function written(cell, value) {
    if (isTable(cell)) {
      const box = make("div", "table");
      inTable(box, Object.keys(field(cell).columns), parsed(value), (row, name) => make("bdi", "", String(row[name] ?? "")));
      return box;
    }
    const made = make("p", `value ${field(cell).kind}`);
    const bdi = make("bdi");
    const groups = (field(cell).groups || []).find((each) => each.reduce((a, b) => a + b, 0) === value.length) || [];
    const ends = new Set();
    groups.reduce((end, length) => (ends.add(end + length), end + length), 0);
    [...value].forEach((sign, at) => {
      const doubtful = value === cell.value && cell.characters.length === [...value].length && cell.characters[at] < 0.9;
      bdi.append(doubtful ? make("mark", "", sign) : document.createTextNode(sign));
      if (ends.has(at + 1) && at + 1 < value.length) bdi.append(make("i", "gap"));
    });
    made.append(bdi);
    return made;
  }

  function editor(cell, index) {
    const kind = field(cell);
    const begun = cell.value || "";
    let input;
    if (kind.values.length) {
      input = make("select");
      ["", ...kind.values].forEach((value) => {
        const option = make("option", "", value || "–");
        option.value = value;
        option.selected = value === begun;
        input.append(option);
      });
    } else {
      input = make(begun.length > 40 ? "textarea" : "input", kind.kind === "code" ? "code" : "");
      input.value = begun;
      input.spellcheck = false;
      input.autocomplete = "off";
    }
    input.setAttribute("aria-label", `${t("value")}: ${cell.field}`);
    input.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.isComposing && !event.shiftKey) {
        event.preventDefault();
        decide(index, input.value);
      } else if (event.key === "Escape") {
        input.blur();
      }
    });
    return input;
  }

  /* A table: its rows as they are being corrected, by the index of the cell. */
  const tables = new Map();
  const isTable = (cell) => field(cell).kind === "table";
  const doubtful = ([, status]) => status === "abstained" || status === "failed";

  function parsed(text) {
    try {
      const rows = JSON.parse(text || "[]");
      return Array.isArray(rows) ? rows : [];
    } catch {
      return [];
    }
  }
  function rowsOf(index) {
    if (!tables.has(index)) {
      const rows = cells[index].rows.map((row) => ({ ...row }));
      tables.set(index, rows.length ? rows : [{}]);
    }
    return tables.get(index);
  }
  function tableText(index) {
    const names = Object.keys(field(cells[index]).columns);
    const rows = rowsOf(index)
      .map((row) => Object.fromEntries(names.filter((name) => row[name] && row[name][0]).map((name) => [name, row[name][0]])))
      .filter((row) => Object.keys(row).length);
    return rows.length ? JSON.stringify(rows) : "";
  }
  function inTable(into, columns, rows, content, actions) {
    const table = make("table", "rows");
    const head = make("tr");
    head.append(make("th", "", "#"), ...columns.map((name) => make("th", "", name)));
    if (actions) head.append(make("td"));
    table.append(head);
    rows.forEach((row, at) => {
      const line = make("tr");
      line.append(make("th", "", String(at + 1)));
      columns.forEach((name) => {
        const made = make("td");
        made.append(content(row, name, at));
        line.append(made);
      });
      if (actions) line.append(actions(at));
      table.append(line);
    });
    const box = make("div", "scroll");
    box.append(table);
    into.append(box);
  }

  function tableEditor(index) {
    const cell = cells[index];
    const { columns } = field(cell);
    const names = Object.keys(columns);
    const rows = rowsOf(index);
    const box = make("div", "table");
    const again = (row, column) => {
      const fresh = tableEditor(index);
      box.replaceWith(fresh);
      fresh.querySelector(`[data-at="${Math.max(0, Math.min(row, rowsOf(index).length - 1))}:${column}"]`)?.focus();
    };
    inTable(
      box,
      names,
      rows,
      (row, name, at) => {
        const known = row[name] || ["", "typed", null];
        let input;
        if (columns[name].length) {
          input = make("select");
          new Set(["", ...columns[name], known[0] || ""]).forEach((value) => {
            const option = make("option", "", value || "–");
            option.value = value;
            input.append(option);
          });
        } else {
          input = make("input");
          input.autocomplete = "off";
          input.spellcheck = false;
          input.size = Math.min(Math.max((known[0] || "").length + 1, 4), 28);
        }
        input.value = known[0] || "";
        if (doubtful(known)) {
          input.className = "doubt";
          if (known[2] !== null) input.title = t("sure", { p: known[2].toFixed(2) });
        }
        input.dataset.at = `${at}:${names.indexOf(name)}`;
        input.setAttribute("aria-label", t("cell_of", { n: at + 1, column: name }));
        input.addEventListener("input", () => {
          row[name] = [input.value.trim(), "typed", null];
          input.className = "typed";
        });
        input.addEventListener("keydown", (event) => {
          if (event.isComposing) return;
          if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) decide(index, tableText(index));
          else if (event.key === "Enter") again(at + (event.shiftKey ? -1 : 1), names.indexOf(name));
          else if (event.key === "Escape") input.blur();
          else return;
          event.preventDefault();
        });
        return input;
      },
      (at) => {
        const made = make("td", "acts");
        const act = (sign, key, change, to) => {
          const one = button(sign, "small", () => {
            change();
            if (!rows.length) rows.push({});
            again(to, 0);
          });
          one.title = t(key, { n: at + 1 });
          one.setAttribute("aria-label", one.title);
          made.append(one);
        };
        act("+", "row_add", () => rows.splice(at + 1, 0, {}), at + 1);
        act("×", "row_delete", () => rows.splice(at, 1), at);
        if (at > 0) act("↑", "row_up", () => rows.splice(at - 1, 0, ...rows.splice(at, 1)), at - 1);
        if (at + 1 < rows.length) act("↓", "row_down", () => rows.splice(at + 1, 0, ...rows.splice(at, 1)), at + 1);
        return made;
      },
    );
    box.append(make("p", "soft", t("rows_hint")));
    return box;
  }

  function button(text, className, action) {
    const made = make("button", className, text);
    made.type = "button";
    made.addEventListener("click", action);
    return made;
  }

  function card(index) {
    const cell = cells[index];
    const decision = kept.decisions[place(cell)];
    const made = make("li", `cell${index === here ? " here" : ""}${decision ? " done" : ""}`);
    made.dataset.index = index;
    const head = make("h2", "", cell.field);
    const where = [cell.document.path];
    if (cell.document.page > 1) where.push(t("page", { n: cell.document.page }));
    if (cell.document.part > 1) where.push(t("part", { n: cell.document.part }));
    const file = make("small");
    file.append(make("bdi", "", where.join(" · ")));
    head.append(file);
    if (cell.confidence !== null) head.append(make("small", "", t("sure", { p: cell.confidence.toFixed(2) })));
    made.append(head);
    if (cell.crop || cell.page) {
      const picture = make("img");
      picture.src = `data:image/jpeg;base64,${cell.crop || data.pages[cell.page]}`;
      picture.alt = cell.crop ? `${cell.field}: ${t("printed")}` : t("whole");
      picture.addEventListener("load", () => {
        if (cell.crop && picture.naturalWidth < 420) picture.width = 2 * picture.naturalWidth;
      });
      made.append(picture);
    } else {
      made.append(make("p", "soft", t("no_crop")));
    }
    if (decision) {
      const line = make("p", "stamp", `✓ ${t("decided")}`);
      made.append(line);
      made.append(decision.value === null ? make("p", "value", t("is_absent")) : written(cell, decision.value));
      const row = make("div", "row");
      row.append(button(t("undo"), "", () => undo(index)));
      made.append(row);
      return made;
    }
    const row = make("div", "row");
    if (isTable(cell) && index !== here) {
      /* Rows are many: they are drawn for the table that is being looked at. */
      row.append(make("span", "soft", rowsTold(cell)), button(t("rows_show"), "", () => draw(index)));
    } else if (isTable(cell)) {
      made.append(tableEditor(index));
      row.append(button(t("accept"), "first", () => decide(index, tableText(index))));
      row.append(button(t("absent"), "", () => decide(index, null)));
    } else {
      if (cell.value !== null) made.append(written(cell, cell.value));
      const input = editor(cell, index);
      row.append(input);
      row.append(button(t("accept"), "first", () => decide(index, input.value)));
      row.append(button(t("absent"), "", () => decide(index, null)));
    }
    made.append(row);
    const others = cell.candidates.filter((each) => each.value !== cell.value);
    if (others.length) {
      made.append(make("p", "soft", t("candidates")));
      const box = make("div", "candidates");
      cell.candidates.forEach((each, at) => {
        if (each.value === cell.value) return;
        const choice = button("", "", () => decide(index, each.value));
        choice.append(make("kbd", "", String(at + 1)), document.createTextNode(" "), make("bdi", "", isTable(cell) ? t("rows", { n: parsed(each.value).length }) : each.value), make("small", "", each.experts.join(", ")));
        box.append(choice);
      });
      made.append(box);
    }
    if (cell.notes.length) {
      const notes = make("ul", "notes");
      cell.notes.forEach((note) => {
        const line = make("li");
        line.append(make("bdi", "", note));
        notes.append(line);
      });
      made.append(notes);
    }
    made.addEventListener("focusin", () => mark(index));
    return made;
  }

  function rowsTold(cell) {
    const open = cell.rows.flatMap((row) => Object.values(row)).filter(doubtful).length;
    return `${t("rows", { n: cell.rows.length })} · ${t("rows_open", { n: open })}`;
  }

  function mark(index) {
    here = index;
    list.querySelectorAll(".cell").forEach((each) => each.classList.toggle("here", Number(each.dataset.index) === index));
  }

  function draw(index = here, focus = true) {
    here = index;
    const visible = shown();
    list.replaceChildren(...visible.map(card));
    if (!visible.length) list.append(make("li", "soft", t(cells.length ? "none" : "nothing")));
    const done = cells.filter((cell) => kept.decisions[place(cell)]).length;
    $("progress").textContent = t("progress", { done, total: cells.length });
    $("unsaved").textContent = kept.unsaved ? t("unsaved", { n: kept.unsaved }) : kept.order.length ? t("saved") : "";
    const told = [];
    if (data.left) told.push(t("left", { n: data.left }));
    if (data.failed) told.push(t("failed", { n: data.failed }));
    $("told").replaceChildren(...told.map((text) => make("li", "", text)));
    document.title = `${t("progress", { done, total: cells.length })} – ocr_moe`;
    const target = list.querySelector(".cell.here");
    if (target && focus) {
      target.tabIndex = -1;
      target.focus({ preventScroll: true });
      target.scrollIntoView({ block: "nearest" });
    }
  }

  function move(step) {
    const visible = shown();
    const at = visible.indexOf(here);
    const next = visible[Math.min(Math.max(at + step, 0), visible.length - 1)];
    if (next !== undefined) draw(next);
  }

  function save() {
    const decisions = cells
      .filter((cell) => kept.decisions[place(cell)])
      .map((cell) => ({
        document: cell.document,
        schema: cell.schema,
        field: cell.field,
        value: kept.decisions[place(cell)].value,
        at: kept.decisions[place(cell)].at,
        shown: { value: cell.value, confidence: cell.confidence, status: cell.status },
      }));
    const file = { format: 1, kind: "ocr_moe decisions", strategy: data.strategy, reviewer: $("reviewer").value.trim(), decisions };
    const link = make("a");
    link.href = URL.createObjectURL(new Blob([JSON.stringify(file, null, 1)], { type: "application/json" }));
    link.download = `decisions-${new Date().toISOString().slice(0, 16).replace(/[T:]/g, "-")}.json`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    kept.unsaved = 0;
    keep();
    draw(here, false);
  }

  const all = $("field").options[0];
  const name_all = () => {
    all.textContent = t("all");
  };
  const names = [...new Map(cells.map((cell) => [`${cell.schema}\u0000${cell.field}`, cell])).entries()];
  const several = Object.keys(data.schemas).length > 1;
  names.forEach(([value, cell]) => {
    const schema = data.schemas[cell.schema];
    const option = make("option", "", several && schema ? `${schema.title}: ${cell.field}` : cell.field);
    option.value = value;
    $("field").append(option);
  });
  $("reviewer").value = kept.reviewer;
  $("reviewer").addEventListener("change", () => {
    kept.reviewer = $("reviewer").value.trim();
    keep();
    problem("");
  });
  $("field").addEventListener("change", () => draw(shown()[0] ?? 0));
  $("open").addEventListener("change", () => draw(here, false));
  $("save").addEventListener("click", save);
  $("language").addEventListener("click", () => {
    root.dataset.lang = root.dataset.lang === "zh" ? "en" : "zh";
    root.lang = root.dataset.lang === "zh" ? "zh-CN" : "en";
    name_all();
    draw(here, false);
  });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.target.closest("input, select, textarea, button, summary, a")) return;
    const cell = cells[here];
    if (!cell) return;
    const candidate = /^[1-9]$/.test(event.key) ? cell.candidates[Number(event.key) - 1] : null;
    const decided = Boolean(kept.decisions[place(cell)]);
    if (event.key === "Enter" && !decided) {
      const input = list.querySelector(".cell.here .row :is(input, textarea, select)");
      if (isTable(cell)) decide(here, tableText(here));
      else decide(here, input ? input.value : cell.value || "");
    } else if (candidate && !decided) decide(here, candidate.value);
    else if (/^a$/i.test(event.key) && !decided) decide(here, null);
    else if (/^u$/i.test(event.key)) undo();
    else if (/^j$/i.test(event.key)) move(1);
    else if (/^k$/i.test(event.key)) move(-1);
    else if (/^e$/i.test(event.key)) list.querySelector(".cell.here :is(.row, .rows) :is(input, textarea, select)")?.focus();
    else return;
    event.preventDefault();
  });
  window.addEventListener("beforeunload", (event) => {
    if (kept.unsaved) event.preventDefault();
  });
  name_all();
  const first = cells.findIndex((cell) => !kept.decisions[place(cell)]);
  draw(Math.max(first, 0), false);
})();
