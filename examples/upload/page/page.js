// Uploads a document and draws how far it is. The job's id is in the address, so that a reload goes on where it was.
"use strict";

const meta = (name) => document.querySelector(`meta[name="${name}"]`).content;
const api = meta("api");
const element = (id) => document.getElementById(id);
const OVER = ["completed", "failed", "cancelled"];

let events = null;

function show(job) {
  element("job").hidden = false;
  element("bar").value = job.progress;
  element("stage").textContent = words(job);
  const error = job.status === "failed" ? `It failed: ${job.last_error ?? "nobody knows why"}` : "";
  element("error").textContent = error;
  element("error").hidden = error === "";
  element("job").dataset.status = job.status;
}

function words(job) {
  switch (job.status) {
    case "completed": return `Done: ${job.outputs} results`;
    case "failed": return `Stopped after ${job.progress} %`;
    case "cancelled": return "Cancelled";
    case "waiting": return `Waiting: ${job.waiting_for ?? "for its turn"}`;
    default: break;
  }
  return job.stage ? `Stage ${job.stage.index} of ${job.stage.of}: ${job.stage.label}` : "Waiting for its turn";
}

function fail(message) {
  element("job").hidden = false;
  element("error").textContent = message;
  element("error").hidden = false;
}

// The browser connects again by itself, and is told the newest state then.
function follow(id) {
  events?.close();
  const source = new EventSource(`${api}/v1/jobs/${encodeURIComponent(id)}/events`);
  events = source;
  source.addEventListener("job", (event) => {
    const job = JSON.parse(event.data);
    show(job);
    if (OVER.includes(job.status)) {
      source.close();
    }
  });
  source.addEventListener("error", () => {
    if (source.readyState === EventSource.CLOSED) {
      fail("Nobody knows this job any more.");
    }
  });
}

async function upload(file) {
  const url = `${api}/v1/pipelines/${encodeURIComponent(meta("pipeline"))}/jobs`;
  const headers = {
    "content-type": file.type || "application/octet-stream",
    // The same key when the browser sends it again: the same job.
    "idempotency-key": `"${crypto.randomUUID()}"`,
  };
  const answer = await fetch(url, { method: "POST", headers, body: file });
  const body = await answer.json();
  if (!answer.ok) {
    throw new Error(body.detail ?? body.title ?? `the API answers ${answer.status}`);
  }
  return body.job_id;
}

function begin() {
  const [id, name] = location.hash.slice(1).split("/").map(decodeURIComponent);
  element("form").hidden = Boolean(id);
  element("job").hidden = !id;
  if (id) {
    element("name").textContent = name ?? "";
    element("error").hidden = true;
    follow(id);
  } else {
    events?.close();
  }
}

element("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const [file] = element("file").files;
  const button = event.submitter;
  button.disabled = true;
  try {
    const id = await upload(file);
    location.hash = `${encodeURIComponent(id)}/${encodeURIComponent(file.name)}`;
  } catch (error) {
    fail(`It was not uploaded: ${error.message}`);
  } finally {
    button.disabled = false;
  }
});

addEventListener("hashchange", begin);
begin();
