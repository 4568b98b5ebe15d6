// Usage: a table of who spent what, with bars, from the admin port's /usage.

import { make, parts } from "./dom.js";
import { refusalOf } from "./failure.js";

const ROWS = 100;
const WORDS = { user: "not signed in", model: "no model named" };
const FORMATS = ["csv", "json", "openmetrics"];
const ui = parts(
  "usage-question", "usage-by", "usage-from", "usage-to", "usage-trouble", "usage-total",
  "usage-of", "usage-measure", "usage-rows", "usage-more",
  ...FORMATS.map((name) => `usage-${name}`),
);

let widest = 0; // what the longest bar stands for
let inMoney = true;
let asked = 0; // the number of the latest question

export const shownCount = (n) => n.toLocaleString("en");

// Part of all, as people read it; what is little is not shown as nothing.
export function shownShare(share) {
  if (share > 0 && share < 0.01) return "under 1 %";
  return `${Math.round(share * 100)} %`;
}

// The dollars of a text, with as many digits as say something.
export function shownUsd(text) {
  const usd = Number(text);
  const digits = usd === 0 || usd >= 1 ? 2 : 6;
  return usd.toLocaleString("en", { minimumFractionDigits: 2, maximumFractionDigits: digits });
}

function query(more = {}) {
  const values = { by: ui["usage-by"].value, ...more };
  if (ui["usage-from"].value) values.from = ui["usage-from"].value;
  if (ui["usage-to"].value) values.to = ui["usage-to"].value;
  return `/usage?${new URLSearchParams(values)}`;
}

const measured = (row) => (inMoney ? Number(row.usd) : row.tokens.total || row.requests);

function barCell(row) {
  const bar = make("div", { class: "usage-bar", "aria-hidden": "true" });
  bar.style.width = `${widest ? Math.max(1, (measured(row) / widest) * 100) : 0}%`;
  const text = inMoney ? shownUsd(row.usd) : shownCount(measured(row));
  return make("td", { class: "usage-measure" }, make("span", {}, text), bar);
}

function rowOf(row, by) {
  const { tokens } = row;
  const name = row[by] || `(${WORDS[by] ?? "none"})`;
  const counts = [row.requests, tokens.input, tokens.cached_input, tokens.output, tokens.reasoning];
  return make(
    "tr", {},
    make("th", { scope: "row" }, name), barCell(row),
    ...counts.map((n) => make("td", {}, shownCount(n))),
    make("td", {}, shownShare(row.estimated_share)),
  );
}

function showTotal({ usd, requests, tokens, estimated_share: estimated }) {
  const facts = [
    inMoney && `${shownUsd(usd)} USD`, `${shownCount(requests)} requests`,
    `${shownCount(tokens.total)} tokens`, `${shownShare(estimated)} of them estimated`,
  ];
  ui["usage-total"].textContent = facts.filter(Boolean).join(" \u00b7 ");
}

function begin(answer, by) {
  const { total, rows } = answer;
  inMoney = Number(total.usd) > 0;
  widest = Math.max(0, ...rows.map(measured));
  ui["usage-of"].textContent = by[0].toUpperCase() + by.slice(1);
  const other = total.tokens.total ? "Tokens" : "Requests";
  ui["usage-measure"].textContent = inMoney ? "USD" : other;
  ui["usage-rows"].replaceChildren();
  showTotal(total);
  for (const name of FORMATS) ui[`usage-${name}`].href = query({ format: name });
}

async function load(offset) {
  asked += 1;
  const mine = asked;
  const by = ui["usage-by"].value;
  ui["usage-trouble"].hidden = true;
  try {
    const response = await fetch(query({ limit: ROWS, offset }));
    if (!response.ok) throw await refusalOf(response);
    const answer = await response.json();
    if (mine !== asked) return; // another question came after this one
    if (offset === 0) begin(answer, by);
    ui["usage-rows"].append(...answer.rows.map((row) => rowOf(row, by)));
    ui["usage-more"].hidden = answer.next_offset === null;
    ui["usage-more"].dataset.offset = answer.next_offset;
  } catch (error) {
    if (mine !== asked) return;
    ui["usage-trouble"].textContent = error.message;
    ui["usage-trouble"].hidden = false;
  }
}

// Gives what to do whenever the panel is shown.
export function startUsage() {
  const today = new Date().toISOString().slice(0, 10);
  ui["usage-from"].value = `${today.slice(0, 8)}01`;
  ui["usage-question"].addEventListener("submit", (event) => {
    event.preventDefault();
    load(0);
  });
  ui["usage-by"].addEventListener("change", () => load(0));
  ui["usage-more"].addEventListener("click", () => load(Number(ui["usage-more"].dataset.offset)));
  return () => load(0);
}
