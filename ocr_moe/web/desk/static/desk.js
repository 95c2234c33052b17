// Small help on the pages of the desk; each of them works without it.
"use strict";

// What is under way is asked for until it is done; then the page is shown anew.
for (const place of document.querySelectorAll("[data-poll]")) {
  const writing = place.querySelector("[data-writing]");
  const ask = async () => {
    try {
      const answer = await fetch(place.dataset.poll, { headers: { Accept: "application/json" } });
      const state = await answer.json();
      if (!state.busy || (place.dataset.was && String(state.files) !== place.dataset.was)) {
        location.replace(location.pathname + location.search.replace(/([?&])done=[^&]*&?/, "$1"));
        return;
      }
      if (writing && state.writing) writing.textContent = state.writing;
    } catch {
      // The desk may be away for a moment.
    }
    setTimeout(ask, 1000);
  };
  setTimeout(ask, 700);
}

for (const select of document.querySelectorAll("[data-submit]")) {
  select.addEventListener("change", () => select.form.requestSubmit());
}

for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => window.print());
}

// A picture that cannot be had gives its place to the reason.
for (const image of document.querySelectorAll("img[data-missing]")) {
  const missing = () => {
    const reason = document.getElementById(image.dataset.missing);
    if (reason) {
      reason.hidden = false;
      image.parentElement.hidden = true;
    } else {
      image.hidden = true;
    }
  };
  if (image.complete && image.naturalWidth === 0) missing();
  image.addEventListener("error", missing);
}

// A row and its place on the page light up together.
for (const row of document.querySelectorAll("[data-row]")) {
  const box = document.querySelector(`[data-cell="${row.dataset.row}"]`);
  const light = (on) => box && box.classList.toggle("lit", on);
  for (const event of ["mouseenter", "focusin"]) row.addEventListener(event, () => light(true));
  for (const event of ["mouseleave", "focusout"]) row.addEventListener(event, () => light(false));
}
