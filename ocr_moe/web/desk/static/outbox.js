// Decisions on their way to the desk: kept in this browser until each is acknowledged, sent one after
// the other, and sent again as long as the desk does not answer. What it refuses stays until it is seen.
import { Problem } from "./asking.js";

const FIRST_WAIT = 500; // Milliseconds before the first repetition; doubled up to …
const LONGEST_WAIT = 8_000;
const FINAL = new Set([400, 404, 409, 413, 422]); // Answers that another try does not change.

export class Outbox {
  // `send(entry)` resolves once the desk has it; `told` has `saved`, `refused` and `changed`.
  constructor(prefix, send, told) {
    this.prefix = prefix;
    this.send = send;
    this.told = told;
    this.entries = this.#kept();
    this.sending = null;
    this.failing = false;
    this.wake = () => {};
    this.idlers = [];
    addEventListener("online", () => this.wake());
    addEventListener("beforeunload", (event) => {
      if (this.open.length) event.preventDefault();
    });
  }

  // Entries that are neither acknowledged nor refused.
  get open() {
    return this.entries.filter((entry) => !entry.refused);
  }

  get refused() {
    return this.entries.filter((entry) => entry.refused);
  }

  add(entry) {
    const kept = { ...entry, id: crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`, at: Date.now() };
    this.entries.push(kept);
    this.#keep(kept);
    this.told.changed();
    this.run();
    return kept;
  }

  remove(entry) {
    this.entries = this.entries.filter((each) => each.id !== entry.id);
    try {
      localStorage.removeItem(this.prefix + entry.id);
    } catch {
      // Without storage there is nothing to remove.
    }
    this.told.changed();
  }

  // The last entry if the desk cannot know of it yet, taken out again; else null.
  takeBack() {
    const last = this.open.at(-1);
    if (!last || last === this.sending || last.tried) return null;
    this.remove(last);
    return last;
  }

  idle() {
    if (!this.open.length) return Promise.resolve();
    return new Promise((done) => this.idlers.push(done));
  }

  async run() {
    if (this.sending) return;
    let pause = FIRST_WAIT;
    for (let entry = this.open[0]; entry; entry = this.open[0]) {
      this.sending = entry;
      entry.tried = true;
      this.#keep(entry);
      try {
        const reply = await this.send(entry);
        this.failing = false;
        pause = FIRST_WAIT;
        this.remove(entry);
        this.told.saved(entry, reply);
      } catch (error) {
        if (error instanceof Problem && FINAL.has(error.status)) {
          this.failing = false;
          entry.refused = error.message;
          this.#keep(entry);
          this.told.refused(entry);
          this.told.changed();
        } else {
          this.failing = true;
          this.told.changed();
          await new Promise((done) => {
            const timer = setTimeout(done, pause);
            this.wake = () => {
              clearTimeout(timer);
              done();
            };
          });
          pause = Math.min(2 * pause, LONGEST_WAIT);
        }
      }
    }
    this.sending = null;
    this.idlers.splice(0).forEach((done) => done());
    this.told.changed();
  }

  #keep(entry) {
    try {
      localStorage.setItem(this.prefix + entry.id, JSON.stringify(entry));
    } catch {
      // A browser without storage keeps it in memory; leaving the page is warned of all the same.
    }
  }

  #kept() {
    const found = [];
    try {
      for (let i = 0; i < localStorage.length; i++) {
        const key = localStorage.key(i);
        if (key.startsWith(this.prefix)) found.push(JSON.parse(localStorage.getItem(key)));
      }
    } catch {
      return [];
    }
    return found.sort((a, b) => a.at - b.at);
  }
}
