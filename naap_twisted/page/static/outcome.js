// What happened, in the order a developer asks: refused where and why, the answer, the preflight,
// the request. Values in, elements out.

import { copies, make } from "./dom.js";

function section(title, open, ...content) {
  return make("details", { class: "part", open }, make("summary", {}, title), ...content);
}

const capitalized = (text) => text.charAt(0).toUpperCase() + text.slice(1);

export function headerTable(pairs, label) {
  if (!pairs.length) return make("p", { class: "hint" }, "No headers.");
  const rows = pairs.map(([name, value]) =>
    make("tr", {}, make("th", { scope: "row" }, name), make("td", {}, value)));
  return make("table", { class: "headers", "aria-label": label }, make("tbody", {}, ...rows));
}

function step({ name, passed, text }) {
  return make(
    "li", { class: passed ? "passed" : "refused" },
    make("span", { class: "mark", "aria-hidden": "true" }, passed ? "\u2713" : "\u2717"),
    make("strong", {}, name),
    make("span", { class: "sr-only" }, passed ? " passed: " : " refused: "),
    make("span", {}, text),
  );
}

// Where a config key stands, if not in the route's own table.
const TABLES = { cors_headers: "[server]", cors_origins: "[server]", allow_networks: "[upstream]" };

function hintBlock(hint) {
  const table = TABLES[hint.split(" ", 1)[0]] ?? "this route's [[proxy]]";
  const line = make("pre", { class: "hint-line", tabindex: "0", role: "region", "aria-label": "The config line" }, hint);
  const copy = make("button", { type: "button", class: "quiet small" }, "Copy");
  copies(copy, () => hint, line);
  return make(
    "div", { class: "fix" },
    make("p", {}, `This line in the config, in ${table}, would allow it:`), line, copy,
  );
}

// What becomes of each header that the page sends; what is lost is marked, with its line.
// One line passes them all; where a preflight is refused, that shows its own.
function fates(headers, { problems }) {
  const lost = headers.find(({ fate, hint }) => fate === "dropped" && hint);
  return [
    headerTable(headers.map(({ name, fate, text }) => [name, `${fate}: ${text}`]), "What becomes of each header"),
    ...(lost && !problems.length ? [hintBlock(lost.hint)] : []),
  ];
}

// What the proxy decides about the target and the body, step by step.
export function decision({ allowed, steps, headers, hint, preflight: asked }) {
  const parts = [make("ol", { class: "steps" }, ...steps.map(step))];
  if (!allowed && hint) parts.push(hintBlock(hint));
  if (allowed) {
    parts.push(make("p", { class: "hint" },
      "Not judged here: who calls, and the limits. What the proxy finds there is in its answer."));
  }
  if (headers.length) parts.push(...fates(headers, asked));
  return section(allowed ? "Decision: allowed" : "Decision: refused", !allowed, ...parts);
}

// The preflight as the proxy answers it to a page of *origin*: no page can see its own.
export function preflight({ preflight: asked, hint }, { route, origin }, sameOrigin) {
  const parts = [];
  if (sameOrigin) {
    const other = asked.needed ? ` A page of ${origin} is answered like this.` : "";
    parts.push(make("p", { class: "hint" },
      `This page has the proxy's own origin: your browser sent no preflight.${other}`));
  }
  parts.push(make("p", {}, `${capitalized(asked.why)}.`));
  if (asked.problems.length) {
    const shown = new Set([hint]); // each line once, in the decision or here
    const items = asked.problems.map((problem) => problemItem(problem, shown));
    parts.push(make("ul", { class: "problems" }, ...items));
  }
  if (asked.needed) {
    parts.push(
      make("h4", {}, `OPTIONS ${route}`), headerTable(asked.request, "Preflight request headers"),
      make("h4", {}, `Answer ${asked.status}`),
      headerTable(corsFirst(asked.headers), "Preflight answer headers"),
    );
  }
  return section(`Preflight: ${verdictOf(asked)}`, !asked.allowed, ...parts);
}

// The lines that a browser decides by stand first.
function corsFirst(pairs) {
  const decides = ([name]) => name.toLowerCase().startsWith("access-control-");
  return [...pairs.filter(decides), ...pairs.filter((pair) => !decides(pair))];
}

function problemItem({ text, hint }, shown) {
  const fresh = hint && !shown.has(hint);
  shown.add(hint);
  return make("li", {}, text, ...(fresh ? [hintBlock(hint)] : []));
}

function verdictOf({ needed, allowed }) {
  if (!allowed) return "refused";
  return needed ? "allowed" : "none needed";
}

// The request as the page gave it to the browser.
export function sent(request) {
  return section(
    "Request as sent", false,
    make("p", { class: "mono line" }, `${request.method} ${request.url}`),
    headerTable([...request.headers], "Request headers"),
  );
}

export function answerHead(answer) {
  const parts = [];
  if (answer.redirected) {
    parts.push(make("p", { class: "hint" }, `The browser followed a redirect to ${answer.url}`));
  }
  parts.push(headerTable(answer.headers, "Answer headers this page may read"));
  return section(`Headers this page may read (${answer.headers.length})`, false, ...parts);
}

// A place for the body: {element, append(text), finish(answer)}.
export function answerBody(answer) {
  const text = make("pre", { class: "body", tabindex: "0", role: "region", "aria-label": "Answer body" });
  const note = make("p", { class: "hint" });
  const element = section("Body", true, text, note);
  let received = "";
  return {
    element,
    append(piece) {
      received += piece;
      text.append(piece);
    },
    finish() {
      const size = `${answer.bytes.toLocaleString("en")} bytes`;
      if (!answer.textual && answer.bytes) {
        text.textContent = `${size} of ${answer.type || "no declared type"}, not shown`;
      } else if (received === "") {
        text.textContent = "(empty)";
      }
      if (answer.cut) note.textContent = `Cut: the connection ended early, after ${size}.`;
      else if (answer.capped) note.textContent = `The first ${size}; the rest was not read.`;
      else formatJson(received, text, element);
    },
  };
}

function formatJson(received, text, element) {
  let formatted;
  try {
    formatted = JSON.stringify(JSON.parse(received), null, 2);
  } catch {
    return;
  }
  if (formatted === received.trim()) return;
  const toggle = make("button", { type: "button", class: "quiet small" }, "Show as received");
  text.textContent = formatted;
  toggle.addEventListener("click", () => {
    const raw = text.textContent === formatted;
    text.textContent = raw ? received : formatted;
    toggle.textContent = raw ? "Show formatted" : "Show as received";
  });
  element.append(toggle);
}
