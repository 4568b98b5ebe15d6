// One streamed chat request through the proxy, shown as it arrives.

import { curlOf } from "./curl.js";
import { copies, parts, refocus } from "./dom.js";
import { CallFailed, refusalOf } from "./failure.js";
import { showWords } from "./words.js";

const ui = parts(
  "ask", "prompt", "model", "send", "stop", "answer", "note", "error",
  "error-message", "error-code", "error-request", "curl", "copy",
);

let call; // {proxy, target}: the route's path and the upstream URL it is asked for
let running = null; // the AbortController of the request under way

const headers = () => [["Content-Type", "application/json"], ["X-Target-URL", call.target]];

function requestBody() {
  return JSON.stringify({
    model: ui.model.value,
    stream: true,
    messages: [{ role: "user", content: ui.prompt.value.trim() }],
  });
}

function refresh() {
  const busy = running !== null;
  ui.send.textContent = busy ? "Thinking..." : "Ask";
  ui.send.disabled = busy || ui.prompt.value.trim() === "";
  ui.stop.disabled = !busy;
  ui.answer.classList.toggle("busy", busy);
  ui.answer.classList.toggle("empty", !busy && ui.answer.textContent === "");
  // Beside an error an empty answer would only promise one.
  ui.answer.hidden = !ui.error.hidden && ui.answer.textContent === "";
  ui.note.hidden = !ui.error.hidden;
  ui.curl.textContent = curlOf({
    method: "POST", url: location.origin + call.proxy, headers: headers(), body: requestBody(),
  });
}

function showError(failure) {
  ui["error-message"].textContent = failure.message;
  ui["error-code"].textContent = failure.code ? `code ${failure.code}` : "";
  ui["error-request"].textContent = failure.requestId ? `request ${failure.requestId}` : "";
  ui.error.hidden = false;
}

async function ask(signal) {
  const response = await fetch(call.proxy, {
    method: "POST", headers: headers(), body: requestBody(), signal,
  });
  if (!response.ok) throw await refusalOf(response);
  const requestId = response.headers.get("X-Request-ID");
  try {
    await showWords(response.body, ui.answer);
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
  refocus(ui.stop);
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

export function startChat({ proxy, target }) {
  call = { proxy, target };
  ui.ask.addEventListener("submit", submit);
  ui.stop.addEventListener("click", () => running?.abort());
  copies(ui.copy, () => ui.curl.textContent, ui.curl);
  ui.model.addEventListener("change", refresh);
  ui.prompt.addEventListener("input", refresh);
  ui.prompt.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      ui.ask.requestSubmit();
    }
  });
  refresh();
}
