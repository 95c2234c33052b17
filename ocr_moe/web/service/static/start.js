// The start page: files chosen or dropped, sent as a job, and jobs followed until they are over.
"use strict";

const app = document.getElementById("app");
const root = app.dataset.root;
const words = JSON.parse(app.dataset.words);
const locale = app.dataset.language === "zh" ? "zh-CN" : "en";
const maxFiles = Number(app.dataset.maxFiles);
const maxBytes = Number(app.dataset.maxBytes);
const byId = (id) => document.getElementById(id);

const SHOWN_NAMES = 12;
const EVERY_JOB = 25;
const BUSY_MS = 1500;
const IDLE_MS = 15000;
// What systems leave in folders, and no document.
const LITTER = /^(\.|~\$|thumbs\.db$|desktop\.ini$|__macosx$)/i;

function said(key, values = {}) {
  const text = words[`js_${key}`];
  const bar = text.indexOf("|");
  const chosen = bar < 0 ? text : values.n === 1 ? text.slice(0, bar) : text.slice(bar + 1);
  return chosen.replace(/\{(\w+)\}/g, (_, name) =>
    typeof values[name] === "number" ? values[name].toLocaleString(locale) : String(values[name]));
}

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "class") made.className = value;
    else if (name === "onclick") made.addEventListener("click", value);
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

function bytes(n) {
  const mib = n / 1048576;
  return mib >= 1 ? `${mib.toLocaleString(locale, { maximumFractionDigits: 1 })} MiB`
    : `${Math.ceil(n / 1024).toLocaleString(locale)} KiB`;
}

// What is chosen ---------------------------------------------------------------------------------

let chosen = [];
let sending = null;

function add(found) {
  const known = new Set(chosen.map(({ name, file }) => `${name}\n${file.size}\n${file.lastModified}`));
  let left = 0;
  for (const each of found) {
    if (each.name.split("/").some((part) => LITTER.test(part))) { left += 1; continue; }
    const key = `${each.name}\n${each.file.size}\n${each.file.lastModified}`;
    if (!known.has(key)) { known.add(key); chosen.push(each); }
  }
  tell("");
  show();
  if (!chosen.length && left) tell(said("nothing"), "check");
}

function show() {
  const size = chosen.reduce((sum, { file }) => sum + file.size, 0);
  byId("chosen").hidden = !chosen.length;
  byId("send").disabled = !chosen.length || sending !== null;
  if (!chosen.length) return;
  byId("chosen-words").textContent = said("chosen", { n: chosen.length, size: bytes(size) });
  const names = chosen.slice(0, SHOWN_NAMES).map(({ name }) => name);
  if (chosen.length > SHOWN_NAMES) names.push(said("others", { n: chosen.length - SHOWN_NAMES }));
  byId("chosen-names").textContent = names.join(said("comma"));
  let trouble = "";
  if (chosen.length > maxFiles) trouble = said("too_many", { n: maxFiles });
  else if (size > maxBytes) trouble = said("too_large", { size: bytes(maxBytes) });
  if (trouble) { byId("send").disabled = true; tell(trouble, "bad"); }
}

function tell(text, kind = "check", details = []) {
  const message = byId("message");
  message.replaceChildren();
  if (!text) return;
  const notice = element("div", { class: `notice ${kind}` }, element("p", {}, text));
  if (details.length) {
    notice.append(element("ul", {}, ...details.slice(0, 20).map((line) => element("li", {}, line))));
  }
  message.append(notice);
}

const named = (file) => ({ file, name: file.webkitRelativePath || file.name });

for (const [button, input] of [["pick-files", "files"], ["pick-folder", "folder"]]) {
  byId(button).addEventListener("click", () => byId(input).click());
  byId(input).addEventListener("change", (event) => {
    add([...event.target.files].map(named));
    event.target.value = "";
  });
}
byId("clear").addEventListener("click", () => {
  chosen = [];
  tell("");
  show();
  byId("pick-files").focus();
});

// Dropped files and folders; a folder is gone through to its end, however deep.
async function entries(entry, path) {
  if (entry.isFile) {
    const file = await new Promise((done, failed) => entry.file(done, failed));
    return [{ file, name: path + file.name }];
  }
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    const some = await new Promise((done, failed) => reader.readEntries(done, failed));
    if (!some.length) return found;
    for (const each of some) found.push(...await entries(each, `${path}${entry.name}/`));
  }
}

const drop = byId("drop");
let depth = 0;
const carriesFiles = (event) => event.dataTransfer && [...event.dataTransfer.types].includes("Files");
document.addEventListener("dragenter", (event) => {
  if (!carriesFiles(event)) return;
  event.preventDefault();
  depth += 1;
  drop.classList.add("over");
});
document.addEventListener("dragover", (event) => { if (carriesFiles(event)) event.preventDefault(); });
document.addEventListener("dragleave", () => {
  depth = Math.max(0, depth - 1);
  if (!depth) drop.classList.remove("over");
});
document.addEventListener("drop", async (event) => {
  if (!carriesFiles(event)) return;
  event.preventDefault();
  depth = 0;
  drop.classList.remove("over");
  if (sending) return;
  const items = [...event.dataTransfer.items].filter((item) => item.kind === "file");
  const roots = items.map((item) => item.webkitGetAsEntry && item.webkitGetAsEntry());
  if (!roots.length || roots.some((entry) => !entry)) {
    add([...event.dataTransfer.files].map(named));
    return;
  }
  try {
    for (const entry of roots) add(await entries(entry, ""));
  } catch {
    tell(said("unreadable"), "bad");
  }
});

// Sending ----------------------------------------------------------------------------------------

byId("form").addEventListener("submit", (event) => {
  event.preventDefault();
  if (!chosen.length || sending) return;
  const form = new FormData();
  form.append("schema", byId("schema").value);
  form.append("strategy", byId("strategy").value);
  for (const { file, name } of chosen) form.append("files", file, name);
  send(form);
});
byId("abort").addEventListener("click", () => sending && sending.abort());

function send(form) {
  const request = sending = new XMLHttpRequest();
  const bar = byId("upload-bar");
  tell("");
  bar.value = 0;
  byId("upload-words").textContent = said("sending", { percent: 0 });
  byId("upload").hidden = byId("abort").hidden = false;
  byId("send").disabled = true;
  request.upload.addEventListener("progress", (event) => {
    if (!event.lengthComputable) return;
    bar.value = event.loaded / event.total;
    byId("upload-words").textContent = event.loaded < event.total
      ? said("sending", { percent: Math.floor(100 * bar.value) }) : said("checking");
  });
  request.addEventListener("loadend", () => {
    sending = null;
    byId("upload").hidden = byId("abort").hidden = true;
    if (request.status === 202) {
      chosen = [];
      byId("status").textContent = said("taken");
      refresh();
    } else if (request.status) {
      const problem = parsed(request.responseText);
      tell(problem.detail || said("failed_send"), "bad",
        (problem.files || []).map(({ file, detail }) => said("of_file", { file, why: detail })));
    } else {
      tell(said(request.aborted ? "aborted" : "unreachable"), request.aborted ? "check" : "bad");
    }
    const told = byId("message").firstChild;
    show();
    if (told && !byId("message").firstChild) byId("message").append(told);
  });
  request.addEventListener("abort", () => { request.aborted = true; });
  request.open("POST", `${root}/v1/jobs`);
  request.setRequestHeader("Accept-Language", locale);
  request.send(form);
}

function parsed(text) {
  try { return JSON.parse(text); } catch { return {}; }
}

// Jobs -------------------------------------------------------------------------------------------

const KINDS = { queued: "", running: "busy", done: "good", failed: "bad", cancelled: "" };
let limit = EVERY_JOB;
let timer = 0;
const before = new Map();

async function asked(path, options = {}) {
  const headers = { "Accept-Language": locale };
  const answer = await fetch(`${root}${path}`, { headers, credentials: "same-origin", ...options });
  if (answer.status === 401) { location.reload(); }
  if (!answer.ok) throw new Error((await answer.json().catch(() => ({}))).detail || "");
  return answer.status === 204 ? null : answer.json();
}

async function refresh() {
  clearTimeout(timer);
  let wait = IDLE_MS;
  try {
    const { jobs } = await asked(`/v1/jobs?limit=${limit + 1}`);
    list(jobs.slice(0, limit));
    byId("more").hidden = jobs.length <= limit || limit >= 475;
    if (jobs.some(({ status }) => status === "queued" || status === "running")) wait = BUSY_MS;
  } catch { /* the next look may find the service again */ }
  clearTimeout(timer);
  timer = setTimeout(refresh, document.hidden ? IDLE_MS : wait);
}
byId("more").addEventListener("click", () => { limit += EVERY_JOB; refresh(); });
document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });

function list(jobs) {
  const place = byId("jobs");
  const rows = new Map([...place.children].map((row) => [row.dataset.id, row]));
  byId("no-jobs").hidden = jobs.length > 0;
  const wanted = jobs.map((job) => {
    const state = JSON.stringify(job);
    const old = rows.get(job.id);
    if (old && old.dataset.state === state) return old;
    if (before.has(job.id) && before.get(job.id) !== job.status) {
      byId("status").textContent = `${name_of(job)}: ${said(`status_${job.status}`)}`;
    }
    before.set(job.id, job.status);
    return redrawn(job, state, old);
  });
  wanted.forEach((row, at) => {
    if (place.children[at] !== row) place.insertBefore(row, place.children[at] || null);
  });
  while (place.children.length > wanted.length) place.lastChild.remove();
}

// A row that takes the place of an older one keeps the focus where it was.
function redrawn(job, state, old) {
  const made = row(job, state);
  if (old) {
    const focus = old.contains(document.activeElement) ? document.activeElement.dataset.action : null;
    old.replaceWith(made);
    if (focus) {
      const again = made.querySelector(`[data-action="${focus}"]`) || made.querySelector("[data-action]");
      if (again) again.focus();
    }
  }
  return made;
}

function name_of(job) {
  const made = new Date(job.created);
  const when = made.toLocaleString(locale, { dateStyle: "medium", timeStyle: "short" });
  return said("job_name", { when, files: said("n_files", { n: job.files.total }) });
}

function row(job, state) {
  const { total, done, failed } = job.files;
  const made = element("li", { class: "job", "data-id": job.id, "data-state": state });
  made.append(element("div", { class: "job-head" },
    element("span", { class: "job-name" }, name_of(job)),
    element("span", { class: `chip ${KINDS[job.status]}` }, said(`status_${job.status}`))));
  const body = element("div");
  if (job.status === "running" || job.status === "queued") {
    body.append(
      element("progress", { max: total, value: done, "aria-label": said("progress_label", { name: name_of(job) }) }),
      element("p", { class: "job-more" }, said("progress", { done, total })));
  } else {
    body.append(element("p", { class: "job-more" }, outcome(job)));
  }
  if (failed) body.append(element("p", { class: "job-more" }, said("n_failed", { n: failed })));
  made.append(body, actions(job));
  return made;
}

function outcome(job) {
  if (job.error) return job.error.message || said("job_failed");
  if (!job.result) return said("nothing_read");
  const check = job.result.to_check;
  const documents = said("n_documents", { n: job.result.documents });
  const cells = check.cells ? said("n_to_check", { n: check.cells }) : said("none_to_check");
  return [documents, cells].join(said("comma"));
}

function actions(job) {
  const made = element("div", { class: "job-actions" });
  const label = (text) => ({ "aria-label": `${text}: ${name_of(job)}` });
  const link = (key, href, kind, more = {}) => made.append(element("a",
    { class: `button ${kind}`, href, "data-action": key, ...label(said(key)), ...more }, said(key)));
  const button = (key, kind, act) => made.append(element("button",
    { type: "button", class: kind, "data-action": key, ...label(said(key)), onclick: act }, said(key)));
  const { review, xlsx } = job.links;
  const over = job.status !== "queued" && job.status !== "running";
  if (over && review) link("review", review, job.result && job.result.to_check.cells ? "primary" : "");
  if (over && xlsx) {
    const left = review && job.result && job.result.to_check.cells;
    link("download", xlsx, left ? "" : "primary", { download: "" });
  }
  if (over) {
    button("delete", "plain", () => confirm_(said("delete_sure"), said("delete"),
      () => act(`/v1/jobs/${job.id}?purge=true`)));
  } else {
    button("cancel", "plain", () => confirm_(said("cancel_sure"), said("cancel_yes"),
      () => act(`/v1/jobs/${job.id}`)));
  }
  return made;
}

async function act(path) {
  try {
    await asked(path, { method: "DELETE" });
  } catch (error) {
    tell(error.message || said("unreachable"), "bad");
  }
  refresh();
}

function confirm_(question, yes, then) {
  const dialog = byId("ask");
  byId("ask-words").textContent = question;
  byId("ask-yes").textContent = yes;
  byId("ask-yes").onclick = () => { dialog.close(); then(); };
  byId("ask-no").onclick = () => dialog.close();
  dialog.showModal();
  byId("ask-no").focus();
}

refresh();
