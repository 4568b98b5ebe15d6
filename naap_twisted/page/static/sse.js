// Server-sent events from a fetched stream.
// https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation

import { textOf } from "./stream.js";

// Feed text as it comes; each call gives the data of the events that it completed.
export function eventParser() {
  let pending = "";
  return (text) => {
    // A CR at the end may be half of a CRLF: it waits for what follows.
    const [, whole, rest] = /^(.*?)(\r?)$/s.exec(pending + text);
    const blocks = whole.replaceAll(/\r\n?/g, "\n").split("\n\n");
    pending = blocks.pop() + rest;
    return blocks.map(dataOf).filter((data) => data !== null);
  };
}

function dataOf(block) {
  const lines = block.split("\n").filter((line) => line === "data" || line.startsWith("data:"));
  if (!lines.length) return null;
  return lines.map((line) => line.slice(5).replace(/^ /, "")).join("\n");
}

// Each event's data from a ReadableStream of bytes.
export async function* eventsOf(body) {
  const parse = eventParser();
  for await (const text of textOf(body)) yield* parse(text);
}
