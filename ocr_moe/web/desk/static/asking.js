// Questions to the desk. An answer that is a problem is thrown as one, with the desk's own sentence.
export class Problem extends Error {
  constructor(status, said, more) {
    super(said);
    this.status = status;
    this.kind = more.kind ?? "";
    this.more = more;
  }
}

const PATIENCE = 20_000; // Milliseconds after which an answer is not waited for any longer.

export async function problemOf(response) {
  let told = {};
  try {
    told = await response.json();
  } catch {
    told = {};
  }
  return new Problem(response.status, told.detail ?? response.statusText, told);
}

export async function ask(path, body) {
  const asked = { signal: AbortSignal.timeout(PATIENCE), headers: { Accept: "application/json" } };
  if (body !== undefined) {
    asked.method = "POST";
    asked.body = JSON.stringify(body);
    asked.headers["Content-Type"] = "application/json";
  }
  const response = await fetch(path, asked);
  if (!response.ok) throw await problemOf(response);
  return response.json();
}
