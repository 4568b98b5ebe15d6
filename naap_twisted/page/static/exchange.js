// One real request of the console and what a page may see of its answer.

import { bytesOf } from "./stream.js";

export const SHOWN_BYTES = 256 * 1024;
const TEXTUAL = /^(text\/|application\/(json|sdp|xml|javascript|problem|x-ndjson|[\w.-]+\+(json|xml)))/i;

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

// The Request that a page would make of {method, url, headers, body, cookies}.
// Throws an Error that says what of it no page can send.
export function requestOf({ method, url, headers, body, cookies }, signal) {
  for (const [name, value] of headers) {
    if (!TOKEN.test(name)) throw new Error(`"${name}" is not a header name.`);
    try {
      new Headers([[name, value]]);
    } catch {
      throw new Error(`The value of ${name} holds a character that no header may.`);
    }
  }
  // Cookies of the page's own origin go along in any case.
  const credentials = cookies ? "include" : "same-origin";
  return new Request(url, { method, headers, body: body ?? undefined, credentials, signal });
}

// Names of *headers* that the browser dropped without a word: pages may not set them.
export function droppedFrom(headers, request) {
  return headers.map(([name]) => name).filter((name) => !request.headers.has(name));
}

// Sends *request*. onHead(answer) when the head is there, onText(text) for each piece of a text.
// Gives the answer: {status, statusText, url, redirected, headers: [[name, value], ...], type,
// textual, headMs, totalMs, bytes, capped, cut}. Rejects as fetch() does where there is no head.
export async function exchange(request, onHead, onText) {
  const began = performance.now();
  const since = () => Math.round(performance.now() - began);
  const response = await fetch(request);
  const type = response.headers.get("Content-Type") ?? "";
  const answer = {
    status: response.status, statusText: response.statusText,
    url: response.url, redirected: response.redirected,
    headers: [...response.headers], type, textual: TEXTUAL.test(type),
    headMs: since(), totalMs: null, bytes: 0, capped: false, cut: false,
  };
  onHead(answer);
  try {
    await read(response.body, answer, onText);
  } catch (error) {
    if (request.signal.aborted) throw error;
    answer.cut = true;
  }
  answer.totalMs = since();
  return answer;
}

async function read(body, answer, onText) {
  if (body === null) return;
  const decoder = new TextDecoder();
  for await (const piece of bytesOf(body)) {
    const room = SHOWN_BYTES - answer.bytes;
    answer.bytes += Math.min(piece.length, room);
    if (answer.textual) onText(decoder.decode(piece.subarray(0, room), { stream: true }));
    if (piece.length > room) {
      answer.capped = true;
      return;
    }
  }
}
