// Editors of a value, by the kind of its field: a line, a long text, or a line with names to pick from.
import { element } from "./marking.js";

const PAUSE = 110; // Milliseconds without a key after which what was typed is looked at.
const LONG = 60; // Characters from which a text gets several lines.

export class Editor {
  // `ask` has `suggest(text)` → names; `typed(text)` is told of every change after a pause.
  constructor(root, words, ask, typed) {
    this.root = root;
    this.words = words;
    this.ask = ask;
    this.typed = typed;
    this.input = null;
    this.timer = 0;
  }

  get open() {
    return this.input !== null;
  }

  get text() {
    return this.input?.value ?? "";
  }

  set text(value) {
    if (!this.input) return;
    this.input.value = value;
    this.#close();
    this.typed(value);
  }

  // Whether the list of names is open with one of them picked out.
  get picking() {
    return Boolean(this.list && !this.list.hidden && this.active >= 0);
  }

  begin(cell, text, labelledBy) {
    const long = cell.kind === "text" && (text.length > LONG || /范围|scope|地址|住所/.test(cell.field));
    const input = element(long ? "textarea" : "input", `type ${cell.kind}`);
    if (!long) input.type = "text";
    else input.rows = Math.min(Math.max(Math.ceil(text.length / 28), 3), 10);
    input.value = text;
    input.autocomplete = "off";
    input.spellcheck = false;
    input.setAttribute("autocapitalize", cell.kind === "code" ? "characters" : "off");
    input.setAttribute("aria-labelledby", labelledBy);
    input.setAttribute("aria-describedby", "verdict typinghint");
    input.id = "input";
    if (cell.kind === "code") input.inputMode = "text";
    const kind = cell.list ? "list" : ["code", "date", "money"].includes(cell.kind) ? cell.kind : "text";
    const hint = element("p", "hint", this.words.say(`kind_${kind}`));
    hint.id = "typinghint";
    this.input = input;
    this.list = null;
    this.root.replaceChildren(input, hint);
    if (cell.list) this.#combine(input);
    input.addEventListener("input", () => this.#later());
    this.root.hidden = false;
    input.focus();
    input.setSelectionRange(0, input.value.length);
    this.typed(text);
  }

  end() {
    clearTimeout(this.timer);
    this.input = null;
    this.list = null;
    this.root.hidden = true;
    this.root.replaceChildren();
  }

  // What Esc leaves first: the list of names. Whether there was one.
  closeList() {
    if (!this.list || this.list.hidden) return false;
    this.#close();
    return true;
  }

  // Take the name that is picked out.
  pick() {
    this.text = this.list.children[this.active].textContent;
    this.input.focus();
  }

  #later() {
    clearTimeout(this.timer);
    this.timer = setTimeout(async () => {
      const text = this.text;
      this.typed(text);
      if (this.list) await this.#offer(text);
    }, PAUSE);
  }

  // A combobox with a list: https://www.w3.org/WAI/ARIA/apg/patterns/combobox/
  #combine(input) {
    const list = element("ul", "names");
    list.id = "names";
    list.hidden = true;
    list.setAttribute("role", "listbox");
    list.setAttribute("aria-label", this.words.say("suggestions"));
    for (const [name, value] of [
      ["role", "combobox"],
      ["aria-expanded", "false"],
      ["aria-controls", "names"],
      ["aria-autocomplete", "list"],
    ]) {
      input.setAttribute(name, value);
    }
    this.list = list;
    this.active = -1;
    input.after(list);
    input.addEventListener("keydown", (event) => {
      if (event.isComposing || list.hidden || !["ArrowDown", "ArrowUp"].includes(event.key)) return;
      event.preventDefault();
      const count = list.children.length;
      const step = event.key === "ArrowDown" ? 1 : -1;
      this.#activate(this.active < 0 && step < 0 ? count - 1 : (this.active + step + count) % count);
    });
    input.addEventListener("blur", () => setTimeout(() => this.#close(), 150));
  }

  async #offer(text) {
    const list = this.list;
    const names = text.trim() ? await this.ask.suggest(text) : [];
    if (this.list !== list || this.text !== text) return;
    list.replaceChildren(
      ...names.map((name, i) => {
        const option = element("li", "", name);
        option.id = `name${i}`;
        option.setAttribute("role", "option");
        option.setAttribute("aria-selected", "false");
        option.addEventListener("pointerdown", (event) => {
          event.preventDefault();
          this.active = i;
          this.pick();
        });
        return option;
      }),
    );
    this.active = -1;
    const none = !names.length || (names.length === 1 && names[0] === text);
    list.hidden = none;
    this.input.setAttribute("aria-expanded", String(!none));
    this.input.removeAttribute("aria-activedescendant");
    if (!none) this.ask.announce(this.words.say("suggestions_found", { n: names.length }));
  }

  #activate(index) {
    this.active = index;
    [...this.list.children].forEach((option, i) => option.setAttribute("aria-selected", String(i === index)));
    this.list.children[index].scrollIntoView({ block: "nearest" });
    this.input.setAttribute("aria-activedescendant", `name${index}`);
  }

  #close() {
    if (!this.list) return;
    this.list.hidden = true;
    this.active = -1;
    this.input?.setAttribute("aria-expanded", "false");
    this.input?.removeAttribute("aria-activedescendant");
  }
}
