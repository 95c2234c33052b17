// The whole page beside the value: zoomed to its place, dragged, turned.
import { problemOf } from "./asking.js";

const STEP = 1.3; // Of one press or notch.
const CLOSEST = 6; // Screen pixels a pixel of the image, at most.
const OF_STAGE = 0.5; // Share of the stage that the place takes up when it is gone to.
const NEAR = 1; // … but no closer than this by itself: the neighbourhood tells what it is.
const NUDGE = 60; // Pixels of an arrow key.
const PAGES_KEPT = 10;

export class Viewer {
  constructor(parts, words) {
    Object.assign(this, parts); // stage, turned, image, box, placeholder
    this.words = words;
    this.turns = 0;
    this.scale = 1;
    this.focus = [0, 0];
    this.place = null;
    this.region = null;
    this.atPlace = true;
    this.loaded = new Map();
    this.asked = 0;
    this.#listen();
  }

  // Load a page ahead, so that it is there at once; a promise of [image, problem].
  load(url) {
    if (!this.loaded.has(url)) {
      const image = new Image();
      image.src = url;
      const ready = image.decode().then(
        () => [image, null],
        async () => {
          this.loaded.delete(url);
          try {
            const response = await fetch(url);
            return [null, response.ok ? "" : (await problemOf(response)).message];
          } catch {
            return [null, this.words.say("offline")];
          }
        },
      );
      this.loaded.set(url, ready);
      if (this.loaded.size > PAGES_KEPT) this.loaded.delete(this.loaded.keys().next().value);
    }
    return this.loaded.get(url);
  }

  // Show a page; `place` is a box in fractions of it, or null.
  async show(url, place, { title, region = null }) {
    const asked = ++this.asked;
    const [image, problem] = await this.load(url);
    if (asked !== this.asked) return;
    const another = this.url !== url;
    this.url = url;
    this.place = place;
    this.region = region;
    this.box.hidden = !image || !place;
    this.turned.hidden = !image;
    this.placeholder.hidden = Boolean(image);
    this.placeholder.textContent = problem || this.words.say("no_picture");
    if (!image) return;
    if (another) {
      this.turns = 0;
      this.image.src = image.src;
    }
    this.image.alt = title;
    this.size = [image.naturalWidth, image.naturalHeight];
    this.image.width = image.naturalWidth;
    this.image.height = image.naturalHeight;
    if (place) {
      const [x0, y0, x1, y1] = place;
      const [w, h] = this.size;
      Object.assign(this.box.style, {
        left: `${x0 * w}px`,
        top: `${y0 * h}px`,
        width: `${(x1 - x0) * w}px`,
        height: `${(y1 - y0) * h}px`,
      });
    }
    this.atPlace = Boolean(place) && this.atPlace !== null;
    this.goto();
  }

  // To the place, or to the whole page.
  goto() {
    if (!this.size) return;
    const [w, h] = this.size;
    const [x0, y0, x1, y1] = (this.atPlace && this.place) || this.region || [0, 0, 1, 1];
    const wide = (x1 - x0) * w;
    const high = (y1 - y0) * h;
    const quarter = this.turns % 2 === 1;
    const stage = [this.stage.clientWidth, this.stage.clientHeight];
    const fit = (a, b) => Math.min(stage[0] / (quarter ? b : a), stage[1] / (quarter ? a : b));
    const whole = 0.97 * fit(w, h);
    const close = this.atPlace && this.place;
    this.scale = close
      ? Math.max(Math.min(OF_STAGE * fit(wide, high), NEAR), whole)
      : 0.97 * fit(wide, high);
    this.focus = [((x0 + x1) / 2) * w, ((y0 + y1) / 2) * h];
    if (close) this.#fill(quarter ? [stage[1], stage[0]] : stage);
    this.#place();
  }

  // Move as little as is needed for the page to fill the stage where it is larger.
  #fill(stage) {
    this.focus = this.focus.map((at, axis) => {
      const half = stage[axis] / this.scale / 2;
      const size = this.size[axis];
      return size < 2 * half ? size / 2 : Math.min(Math.max(at, half), size - half);
    });
  }

  toggle() {
    this.atPlace = !this.atPlace && Boolean(this.place);
    this.goto();
    return !this.atPlace;
  }

  turn() {
    this.turns = (this.turns + 1) % 4;
    this.goto();
  }

  zoom(factor, at = [this.stage.clientWidth / 2, this.stage.clientHeight / 2]) {
    if (!this.size) return;
    const least = 0.5 * Math.min(this.stage.clientWidth / this.size[0], this.stage.clientHeight / this.size[1]);
    const scale = Math.min(Math.max(this.scale * factor, least), CLOSEST);
    const off = [at[0] - this.stage.clientWidth / 2, at[1] - this.stage.clientHeight / 2];
    const before = this.#back(off, this.scale);
    const after = this.#back(off, scale);
    this.focus = [this.focus[0] + before[0] - after[0], this.focus[1] + before[1] - after[1]];
    this.scale = scale;
    this.#place();
  }

  closer() {
    this.zoom(STEP);
  }

  farther() {
    this.zoom(1 / STEP);
  }

  pan(dx, dy) {
    const [x, y] = this.#back([dx, dy], this.scale);
    this.focus = [this.focus[0] - x, this.focus[1] - y];
    this.#place();
  }

  // An offset on the screen as one on the image.
  #back([x, y], scale) {
    const turned = { 0: [x, y], 1: [y, -x], 2: [-x, -y], 3: [-y, x] }[this.turns];
    return [turned[0] / scale, turned[1] / scale];
  }

  #place() {
    const [cx, cy] = [this.stage.clientWidth / 2, this.stage.clientHeight / 2];
    const [fx, fy] = this.focus;
    this.turned.style.transform =
      `translate(${cx}px, ${cy}px) rotate(${90 * this.turns}deg) scale(${this.scale}) translate(${-fx}px, ${-fy}px)`;
    this.box.style.outlineWidth = `${2.5 / this.scale}px`;
    this.box.style.outlineOffset = `${3 / this.scale}px`;
  }

  #listen() {
    const stage = this.stage;
    const fingers = new Map();
    stage.addEventListener(
      "wheel",
      (event) => {
        event.preventDefault();
        const frame = stage.getBoundingClientRect();
        this.zoom(Math.exp(-event.deltaY / 400), [event.clientX - frame.left, event.clientY - frame.top]);
      },
      { passive: false },
    );
    stage.addEventListener("pointerdown", (event) => {
      fingers.set(event.pointerId, [event.clientX, event.clientY]);
      stage.setPointerCapture(event.pointerId);
    });
    stage.addEventListener("pointermove", (event) => {
      const was = fingers.get(event.pointerId);
      if (!was) return;
      const now = [event.clientX, event.clientY];
      if (fingers.size === 1) this.pan(now[0] - was[0], now[1] - was[1]);
      if (fingers.size === 2) {
        const other = [...fingers].find(([id]) => id !== event.pointerId)[1];
        const apart = (p) => Math.hypot(p[0] - other[0], p[1] - other[1]) || 1;
        const frame = stage.getBoundingClientRect();
        this.zoom(apart(now) / apart(was), [(now[0] + other[0]) / 2 - frame.left, (now[1] + other[1]) / 2 - frame.top]);
      }
      fingers.set(event.pointerId, now);
    });
    for (const end of ["pointerup", "pointercancel"]) {
      stage.addEventListener(end, (event) => fingers.delete(event.pointerId));
    }
    stage.addEventListener("dblclick", () => this.toggle());
    stage.addEventListener("keydown", (event) => {
      const way = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
      if (!way) return;
      event.preventDefault();
      this.pan(NUDGE * way[0], NUDGE * way[1]);
    });
    new ResizeObserver(() => this.goto()).observe(stage);
  }
}
