// The demo page: one streamed chat request through the proxy, shown as it arrives.
"use strict";

const PROXY = document.body.dataset.proxy;
const TARGET = document.body.dataset.target;
const at = (id) => document.getElementById(id);
const ui = Object.fromEntries(
  ["ask", "prompt", "model", "send", "stop", "answer", "note", "error",
    "error-message", "error-code", "error-request", "curl", "copy"].map((id) => [id, at(id)]),
);

let running = null; // the AbortController of the request under way

class CallFailed extends Error {
  constructor(message, code, requestId) {
    super(message);
    this.code = code;
    this.requestId = requestId;
  }
}

function requestBody() {
  return JSON.stringify({
    model: ui.model.value,
    stream: true,
    messages: [{ role: "user", content: ui.prompt.value.trim() }],
  });
}

const shellQuoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

function showCurl() {
  ui.curl.textContent = [
    `curl -N ${location.origin}${PROXY}`,
    "  -H 'Content-Type: application/json'",
    `  -H ${shellQuoted(`X-Target-URL: ${TARGET}`)}`,
    `  -d ${shellQuoted(requestBody())}`,
  ].join(" \\\n");
}

function refresh() {
  const busy = running !== null;
  ui.send.textContent = busy ? "Thinking..." : "Ask";
  ui.send.disabled = busy || ui.prompt.value.trim() === "";
  ui.stop.disabled = !busy;
  ui.answer.classList.toggle("busy", busy);
  ui.answer.classList.toggle("empty", !busy && ui.answer.textContent === "");
  showCurl();
}

function showError(failure) {
  ui["error-message"].textContent = failure.message;
  ui["error-code"].textContent = failure.code ? `code ${failure.code}` : "";
  ui["error-request"].textContent = failure.requestId ? `request ${failure.requestId}` : "";
  ui.error.hidden = false;
}

// In the proxy's envelope the upstream's words follow its status; often they are JSON again.
function readable(message) {
  const [, opening, quoted] = /^([^{]*)({.*})\s*$/s.exec(message) ?? [];
  try {
    return opening + (JSON.parse(quoted).error.message ?? quoted);
  } catch {
    return message;
  }
}

async function refusal(response, requestId) {
  let error = {};
  try {
    error = (await response.json()).error ?? {};
  } catch {
    // Not JSON: the status line is all there is to say.
  }
  const message = readable(error.message ?? `The proxy answered ${response.status}.`);
  return new CallFailed(message, error.code ?? `HTTP ${response.status}`, requestId);
}

// Server-sent events: blocks ended by an empty line, their text after "data:".
async function* eventsOf(body) {
  let pending = "";
  for await (const text of chunksOf(body.pipeThrough(new TextDecoderStream()))) {
    const blocks = (pending + text).split("\n\n");
    pending = blocks.pop();
    for (const block of blocks) {
      const lines = block.split("\n").filter((line) => line.startsWith("data:"));
      if (lines.length) yield lines.map((line) => line.slice(5).trimStart()).join("\n");
    }
  }
}

// A reader instead of "for await" on the stream itself, which not every browser has.
async function* chunksOf(stream) {
  const reader = stream.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    reader.releaseLock();
  }
}

// Returns only when the upstream said that it was done.
async function showStream(body) {
  for await (const event of eventsOf(body)) {
    if (event === "[DONE]") return;
    const word = JSON.parse(event).choices[0]?.delta?.content;
    if (word) ui.answer.append(word);
  }
  throw new Error("ended early");
}

async function ask(signal) {
  const response = await fetch(PROXY, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-Target-URL": TARGET },
    body: requestBody(),
    signal,
  });
  const requestId = response.headers.get("X-Request-ID");
  if (!response.ok) throw await refusal(response, requestId);
  try {
    await showStream(response.body);
  } catch (error) {
    if (signal.aborted) throw error;
    throw new CallFailed("The answer was cut: what you see is not all of it.", "CUT", requestId);
  }
  return requestId;
}

async function submit(event) {
  event.preventDefault();
  if (running || ui.prompt.value.trim() === "") return;
  const controller = new AbortController();
  running = controller;
  ui.answer.textContent = "";
  ui.note.textContent = "";
  ui.error.hidden = true;
  refresh();
  try {
    const requestId = await ask(controller.signal);
    ui.note.textContent = requestId ? `Complete. Request ${requestId}` : "Complete.";
  } catch (error) {
    if (controller.signal.aborted) {
      ui.note.textContent = "Stopped. The proxy cancels its call to the upstream too.";
    } else if (error instanceof CallFailed) {
      showError(error);
    } else {
      showError(new CallFailed("The proxy can not be reached.", "NETWORK", null));
    }
  } finally {
    running = null;
    refresh();
    ui.prompt.focus();
  }
}

async function copyCurl() {
  try {
    await navigator.clipboard.writeText(ui.curl.textContent);
    ui.copy.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(ui.curl);
    ui.copy.textContent = "Selected";
  }
  setTimeout(() => { ui.copy.textContent = "Copy"; }, 1500);
}

ui.ask.addEventListener("submit", submit);
ui.stop.addEventListener("click", () => running?.abort());
ui.copy.addEventListener("click", copyCurl);
ui.model.addEventListener("change", refresh);
ui.prompt.addEventListener("input", refresh);
ui.prompt.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    ui.ask.requestSubmit();
  }
});
refresh();
