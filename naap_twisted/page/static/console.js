// The console: one request through one route, and why it was answered as it was.

import { explain, setup } from "./console_api.js";
import { curlOf, fetchOf } from "./curl.js";
import { copies, make, parts, refocus } from "./dom.js";
import { bodyFor, takesBody } from "./examples.js";
import { droppedFrom, exchange, requestOf } from "./exchange.js";
import { envelopeOf } from "./failure.js";
import { HeaderRows } from "./header_rows.js";
import * as show from "./outcome.js";
import { showStatus } from "./status.js";

const SOME_PAGE = "http://localhost:3000";
const ui = parts(
  "request", "proxy", "proxy-field", "route", "route-facts", "method", "url", "url-label", "url-hint",
  "headers", "add-header", "headers-note", "body", "body-field", "origin", "origin-hint", "cookies",
  "explain", "abort", "submit", "as-curl", "copy-curl", "as-fetch", "copy-fetch",
  "verdict", "outcome", "console-trouble",
);

let proxy = null; // what /console/setup gave
let rows;
const MOST_BODY = 32 * 1024;
let example = ""; // the body that this page put there, not the user
let running = null; // the AbortController of what is under way

const route = () => proxy.routes[ui.route.selectedIndex];
const origin = () => ui.proxy.value;
const sameOrigin = () => origin() === location.origin;
const pinned = () => route().kind === "pinned";

// What follows a pinned route's path: "/..." or "?...", or nothing.
function remainder() {
  const typed = ui.url.value.trim();
  return typed === "" || /^[/?]/.test(typed) ? typed : `/${typed}`;
}

// The request as {method, url, headers, body}.
function composed() {
  const headers = rows.pairs;
  const target = ui.url.value.trim();
  let url = origin() + route().path;
  if (pinned()) url += remainder();
  else if (target) headers.push([route().target_url_header, target]);
  const method = ui.method.value;
  return {
    method, headers, url: new URL(url).href, body: takesBody(method) ? ui.body.value : null,
    cookies: ui.cookies.checked,
  };
}

function refresh() {
  if (!proxy) return;
  ui["body-field"].hidden = !takesBody(ui.method.value);
  const request = composed();
  // curl is no page: it sends the origin only if it is told to.
  const from = sameOrigin() ? [] : [["Origin", location.origin]];
  ui["as-curl"].textContent = curlOf({ ...request, headers: [...request.headers, ...from] });
  ui["as-fetch"].textContent = fetchOf(request);
  let note = "";
  try {
    const dropped = droppedFrom(request.headers, requestOf(request));
    if (dropped.length) note = `A page may not set ${dropped.join(", ")}: the browser leaves it out.`;
  } catch (error) {
    note = error.message;
  }
  ui["headers-note"].textContent = note;
}

const FACTS = {
  listed: (r) => [`URL in ${r.target_url_header}`, `to ${r.allowed_hosts.join(", ")}`],
  pinned: (r) => [`pinned to ${r.target}`],
};

function chooseRoute() {
  const chosen = route();
  const who = chosen.authorize === "anyone" ? "for anyone" : `authorize: ${chosen.authorize}`;
  const types = chosen.content_types.join(", ");
  const facts = [...FACTS[chosen.kind](chosen), types === "*/*" ? "any type" : types, who];
  ui["route-facts"].textContent = facts.join(" \u00b7 ");
  ui.method.replaceChildren(...chosen.methods.map((name) => make("option", {}, name)));
  if (chosen.methods.includes("POST")) ui.method.value = "POST";
  ui.url.value = pinned() ? chosen.try ?? "/" : chosen.try ?? "";
  ui["url-label"].textContent = pinned() ? "Path below the base" : "Target URL";
  ui["url-hint"].textContent = pinned() ? `Below ${chosen.target}` : "";
  ui.url.placeholder = pinned() ? "/chat/completions" : "https://api.example.com/v1/things";
  chooseBody();
  refresh();
}

// A body that somebody typed stays.
function chooseBody() {
  const [type = ""] = route().content_types;
  rows.set("Content-Type", takesBody(ui.method.value) && !type.includes("*") ? type : "");
  if (ui.body.value !== example) return;
  example = bodyFor(route(), ui.url.value);
  ui.body.value = example;
  // A text field has line ends of its own kind.
  example = ui.body.value;
}

function chooseProxy() {
  ui.origin.value = sameOrigin() ? SOME_PAGE : location.origin;
  ui["origin-hint"].textContent = sameOrigin()
    ? "This page has the proxy's own origin and needs no preflight: say whose preflight to show."
    : "The preflight is shown as this origin gets it; Send is always from this page.";
  refresh();
}

function verdict(kind, title, ...facts) {
  ui.verdict.className = `verdict ${kind}`;
  ui.verdict.replaceChildren(
    make("strong", {}, title), ...facts.filter(Boolean).map((text) => make("span", {}, text)),
  );
}

function outcomeOf(answer, text) {
  const said = answer.status >= 400 ? envelopeOf(text) : null;
  const requestId = new Map(answer.headers).get("x-request-id");
  const where = answer.status >= 500 ? "; more in the server's log, under this id" : "";
  const title = [answer.status, said?.code ?? answer.statusText].join(" ");
  verdict(
    answer.status < 400 && !answer.cut ? "good" : "bad", answer.cut ? `${title}, cut` : title,
    said?.message,
    `head after ${answer.headMs} ms, all ${answer.bytes.toLocaleString("en")} bytes after ${answer.totalMs} ms`,
    requestId && `request ${requestId}${where}`,
  );
}

// Why the browser showed nothing: fetch() itself never says.
function nothingReadable(answered) {
  if (!sameOrigin() && answered && !answered.preflight.allowed) {
    return "The browser refused: CORS does not let this page read the answer.";
  }
  return `No answer from ${origin()}: it can not be reached, or the browser kept the answer from this page.`;
}

function showDecision(answered, asked) {
  const decided = show.decision(answered);
  const preflight = show.preflight(answered, asked, sameOrigin());
  // What refused it stands first.
  ui.outcome.append(decided, preflight);
  if (!answered.preflight.allowed) ui.outcome.prepend(preflight);
  if (!answered.allowed) ui.outcome.prepend(decided);
}

// [the decision on *request*, or null; what was asked].
async function explained(request, signal) {
  const asked = {
    route: route().path, method: request.method, origin: ui.origin.value.trim(),
    url: pinned() ? remainder() : ui.url.value.trim(), headers: request.headers,
    credentials: request.cookies,
  };
  // What the rules of the route judge; the API takes no larger one.
  if (request.body && request.body.length <= MOST_BODY) asked.body = request.body;
  try {
    return [await explain(asked, signal), asked];
  } catch (error) {
    if (!signal.aborted) ui.outcome.append(make("p", { class: "error" }, `No explanation: ${error.message}`));
    return [null, asked];
  }
}

async function send(request, signal) {
  const real = requestOf(request, signal);
  const explaining = explained(request, signal);
  let body = null;
  let text = "";
  let failure = null;
  try {
    const answer = await exchange(
      real,
      (head) => {
        verdict("busy", `${head.status} ${head.statusText}`, "receiving");
        body = show.answerBody(head);
        ui.outcome.append(body.element, show.answerHead(head));
      },
      (piece) => {
        text += piece;
        body.append(piece);
      },
    );
    body.finish();
    outcomeOf(answer, text);
  } catch (error) {
    if (signal.aborted) throw error;
    failure = error;
  }
  const [answered, asked] = await explaining;
  if (failure) verdict("bad", "No answer to read", nothingReadable(answered));
  if (answered) showDecision(answered, asked);
  ui.outcome.append(show.sent(real));
}

async function only(request, signal) {
  const [answered, asked] = await explained(request, signal);
  if (!answered) return verdict("bad", "No explanation");
  const refused = answered.code ?? "Refused";
  if (answered.allowed) verdict("good", "Would be sent", "Nothing was: this is the decision alone.");
  else verdict("bad", refused, answered.message);
  showDecision(answered, asked);
}

async function run(action) {
  if (running || !proxy) return;
  const controller = new AbortController();
  const pressed = document.activeElement;
  running = controller;
  ui.submit.disabled = ui.explain.disabled = true;
  ui.abort.disabled = false;
  refocus(ui.abort);
  ui.outcome.replaceChildren();
  verdict("busy", "Waiting for the answer");
  // On a narrow screen it is below all the fields.
  ui.verdict.scrollIntoView({ block: "nearest" });
  try {
    await action(composed(), controller.signal);
  } catch (error) {
    if (controller.signal.aborted) verdict("", "Stopped", "The proxy cancels its call to the upstream too.");
    else verdict("bad", "Not sent", error.message);
  } finally {
    running = null;
    ui.submit.disabled = ui.explain.disabled = false;
    ui.abort.disabled = true;
    refocus(pressed === ui.explain ? ui.explain : ui.submit);
  }
}

async function load() {
  if (proxy) return;
  ui["console-trouble"].hidden = true;
  try {
    proxy = await setup();
  } catch (error) {
    ui["console-trouble"].textContent = `The console has nothing to work with: ${error.message}`;
    ui["console-trouble"].hidden = false;
    return;
  }
  showStatus(proxy);
  ui.proxy.replaceChildren(...proxy.origins.map((url) => make("option", {}, url)));
  if (proxy.origins.includes(location.origin)) ui.proxy.value = location.origin;
  ui["proxy-field"].hidden = proxy.origins.length < 2 && sameOrigin();
  ui.route.replaceChildren(
    ...proxy.routes.map(({ path, kind }) => make("option", {}, kind === "pinned" ? `${path}/...` : path)),
  );
  chooseRoute();
  chooseProxy();
}

// Gives what to do whenever the console is shown.
export function startConsole() {
  rows = new HeaderRows(ui.headers, refresh);
  ui.request.addEventListener("submit", (event) => {
    event.preventDefault();
    run(send);
  });
  ui.explain.addEventListener("click", () => run(only));
  ui.abort.addEventListener("click", () => running?.abort());
  ui["add-header"].addEventListener("click", () => rows.add().querySelector(".name").focus());
  ui.route.addEventListener("change", chooseRoute);
  ui.proxy.addEventListener("change", chooseProxy);
  ui.method.addEventListener("change", () => {
    chooseBody();
    refresh();
  });
  ui.cookies.addEventListener("change", refresh);
  for (const field of [ui.url, ui.body]) field.addEventListener("input", refresh);
  ui.body.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) ui.request.requestSubmit();
  });
  copies(ui["copy-curl"], () => ui["as-curl"].textContent, ui["as-curl"]);
  copies(ui["copy-fetch"], () => ui["as-fetch"].textContent, ui["as-fetch"]);
  return load;
}
