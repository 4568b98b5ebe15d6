// A visitor who has not signed in: the proxy counts the questions, and this panel shows the count.

import { parts } from "./dom.js";
import { CallFailed, refusalOf } from "./failure.js";
import { showWords } from "./words.js";

const ui = parts(
  "guest-ask", "guest-prompt", "guest-send", "guest-answer", "guest-left", "guest-id",
  "guest-error", "guest-error-message", "guest-error-code", "guest-error-request",
);

let call; // {api, guest}: the base path, and the path of the route that guests may ask
let csrf = null; // what goes with the cookie; null: the proxy has not seen this visitor yet
let most = 0; // questions in an hour, as the proxy says
let busy = false;

function refresh() {
  ui["guest-send"].disabled = busy || ui["guest-prompt"].value.trim() === "";
  ui["guest-send"].textContent = busy ? "Thinking..." : "Ask";
  const answer = ui["guest-answer"];
  answer.classList.toggle("busy", busy);
  answer.classList.toggle("empty", !busy && answer.textContent === "");
  // Beside an error an empty answer would only promise one.
  answer.hidden = !ui["guest-error"].hidden && answer.textContent === "";
  ui["guest-left"].hidden = !ui["guest-error"].hidden;
}

function showError({ message, code, requestId }) {
  ui["guest-error-message"].textContent = message;
  ui["guest-error-code"].textContent = code ? `code ${code}` : "";
  ui["guest-error-request"].textContent = requestId ? `request ${requestId}` : "";
  ui["guest-error"].hidden = false;
}

const questions = (count) => `${count} ${count === 1 ? "question" : "questions"}`;

// When *seconds* from now will be, and how long that is.
export function whenIn(seconds, now = new Date()) {
  const then = new Date(now.getTime() + seconds * 1000);
  const at = then.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  const minutes = Math.ceil(seconds / 60);
  return `at ${at}, in ${minutes} ${minutes === 1 ? "minute" : "minutes"}`;
}

// As the proxy has counted: a reload gives no question back.
async function count() {
  const response = await fetch(`${call.api}/usage`);
  if (!response.ok) throw await refusalOf(response);
  const { budgets } = await response.json();
  const { left, limit, resets_in: seconds } = budgets.find((each) => each.of === "guest");
  const more = left === 0 ? ` The next one is yours ${whenIn(seconds)}.` : "";
  most = limit;
  ui["guest-left"].textContent = `${questions(left)} of ${limit} left.${more}`;
}

// Whoever was here before is the same guest again.
async function enter() {
  const response = await fetch(`${call.api}/guest`, { method: "POST" });
  if (!response.ok) throw await refusalOf(response);
  const { id, csrf_token: token } = await response.json();
  csrf = token;
  ui["guest-id"].textContent = id;
}

async function refusal(response) {
  const seconds = Number(response.headers.get("Retry-After"));
  const failure = await refusalOf(response);
  if (failure.code !== "BUDGET_EXCEEDED" || !seconds) return failure;
  const words = `You have asked your ${most} questions. The next one is yours ${whenIn(seconds)}.`;
  return new CallFailed(words, failure.code, failure.requestId);
}

async function ask() {
  const messages = [{ role: "user", content: ui["guest-prompt"].value.trim() }];
  const response = await fetch(`${call.guest}/chat/completions`, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-CSRF-Token": csrf },
    body: JSON.stringify({ model: "demo-chat", stream: true, messages }),
  });
  if (!response.ok) throw await refusal(response);
  try {
    await showWords(response.body, ui["guest-answer"]);
  } catch {
    const words = "The answer was cut: what you see is not all of it.";
    throw new CallFailed(words, "CUT", response.headers.get("X-Request-ID"));
  }
}

// Does *work*, and shows what went wrong in it.
async function trying(work) {
  if (busy) return;
  busy = true;
  ui["guest-error"].hidden = true;
  refresh();
  try {
    if (csrf === null) await enter();
    await work();
  } catch (error) {
    const known = error instanceof CallFailed;
    showError(known ? error : new CallFailed("The proxy can not be reached.", "NETWORK", null));
  } finally {
    busy = false;
    refresh();
  }
}

async function submit(event) {
  event.preventDefault();
  if (busy || ui["guest-prompt"].value.trim() === "") return;
  ui["guest-answer"].textContent = "";
  await trying(async () => {
    try {
      await ask();
    } finally {
      await count();
    }
  });
  ui["guest-prompt"].focus();
}

export function startGuest({ api, guest }) {
  call = { api, guest };
  ui["guest-ask"].addEventListener("submit", submit);
  ui["guest-prompt"].addEventListener("input", refresh);
  ui["guest-prompt"].addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      ui["guest-ask"].requestSubmit();
    }
  });
  refresh();
  // A visitor of the other panels is not made a guest.
  return () => trying(count);
}
