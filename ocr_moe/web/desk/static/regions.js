// Boxes that are drawn on the page fill in the numbers, and the numbers show as boxes.
"use strict";

const form = document.querySelector("form[data-regions]");
const page = form && document.getElementById(form.dataset.regions);
if (page) {
  const overlay = page.querySelector("svg");
  const draw = form.querySelector("[data-draw]");
  const clear = form.querySelector("[data-clear]");
  const details = form.querySelector("details");
  const rows = [...form.querySelectorAll("tbody tr")].map((row) => [...row.querySelectorAll("input")]);
  const boxes = rows.map(() => {
    const box = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    box.setAttribute("class", "drawn");
    overlay.append(box);
    return box;
  });

  const show = () => {
    rows.forEach((inputs, index) => {
      const [left, top, right, bottom] = inputs.map((input) => parseFloat(input.value) / 100);
      const whole = left < right && top < bottom;
      boxes[index].setAttribute("x", whole ? left : 0);
      boxes[index].setAttribute("y", whole ? top : 0);
      boxes[index].setAttribute("width", whole ? right - left : 0);
      boxes[index].setAttribute("height", whole ? bottom - top : 0);
    });
  };
  const fill = (row, sides) => {
    row.forEach((input, index) => {
      input.value = (100 * sides[index]).toFixed(1).replace(/\.0$/, "");
    });
    show();
  };
  const at = (event) => {
    const frame = page.querySelector("img").getBoundingClientRect();
    const within = (value) => Math.min(Math.max(value, 0), 1);
    return [within((event.clientX - frame.left) / frame.width), within((event.clientY - frame.top) / frame.height)];
  };

  let start = null;
  let row = null;
  page.addEventListener("pointerdown", (event) => {
    if (!page.classList.contains("drawing")) return;
    row = rows.find((inputs) => inputs.every((input) => !input.value.trim()));
    if (!row) return;
    event.preventDefault();
    page.setPointerCapture(event.pointerId);
    start = at(event);
  });
  page.addEventListener("pointermove", (event) => {
    if (!start) return;
    const [x, y] = at(event);
    fill(row, [Math.min(x, start[0]), Math.min(y, start[1]), Math.max(x, start[0]), Math.max(y, start[1])]);
  });
  page.addEventListener("pointerup", () => {
    if (!start) return;
    const [left, top, right, bottom] = row.map((input) => parseFloat(input.value));
    if (!(right - left >= 5 && bottom - top >= 5)) row.forEach((input) => { input.value = ""; });
    start = null;
    show();
  });

  draw.hidden = false;
  draw.addEventListener("click", () => {
    const on = page.classList.toggle("drawing");
    draw.setAttribute("aria-pressed", String(on));
    details.open = true;
    if (on && rows.every((inputs) => inputs.some((input) => input.value.trim()))) reset();
    if (on) page.scrollIntoView({ block: "nearest" });
  });
  const reset = () => {
    rows.flat().forEach((input) => { input.value = ""; });
    show();
  };
  clear.hidden = false;
  clear.addEventListener("click", reset);
  form.addEventListener("input", show);
  details.addEventListener("toggle", () => {
    for (const box of boxes) box.style.display = details.open ? "" : "none";
  });
  for (const box of boxes) box.style.display = details.open ? "" : "none";
  show();
}
