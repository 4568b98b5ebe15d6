import { describe, expect, it } from "vitest";
import { eventsOf, SseParser } from "./sse";
import type { SseEvent } from "./sse";

const bytes = (text: string) => new TextEncoder().encode(text);

function parse(...pieces: Uint8Array[]): SseEvent[] {
  const parser = new SseParser();
  return pieces.flatMap((piece) => parser.feed(piece));
}

const message = (data: string): SseEvent => ({ event: "message", data });

const STREAM = [
  "\uFEFF: a comment",
  "data: first",
  "",
  "event: note",
  "data:no space",
  "data:  two spaces: and a colon",
  "id: 7",
  "",
  "event: without data",
  "",
  'data: {"text":"h\u00e9llo \u{1F44B}"}',
  "",
  "data",
  "",
  "data: [DONE]",
  "",
];
const EVENTS = [
  message("first"),
  { event: "note", data: "no space\n two spaces: and a colon" },
  message('{"text":"h\u00e9llo \u{1F44B}"}'),
  message(""),
  message("[DONE]"),
];

describe("SseParser", () => {
  for (const [name, end] of Object.entries({ LF: "\n", CR: "\r", CRLF: "\r\n" })) {
    const whole = bytes(STREAM.map((line) => line + end).join(""));

    it(`reads lines that end in ${name}`, () => {
      expect(parse(whole)).toEqual(EVENTS);
    });

    it(`reads them cut in two at every byte (${name})`, () => {
      for (let at = 0; at <= whole.length; at += 1) {
        expect(parse(whole.subarray(0, at), whole.subarray(at)), `cut at ${at}`).toEqual(EVENTS);
      }
    });

    it(`reads them byte by byte (${name})`, () => {
      expect(parse(...Array.from(whole, (byte) => Uint8Array.of(byte)))).toEqual(EVENTS);
    });
  }

  it("gives no event that the stream did not end", () => {
    expect(parse(bytes("data: whole\n\ndata: half\n"))).toEqual([message("whole")]);
  });
});

describe("eventsOf", () => {
  it("cancels the body when the loop is left", async () => {
    let cancelled = false;
    const body = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.enqueue(bytes("data: more\n\n")),
      cancel: () => void (cancelled = true),
    });
    for await (const event of eventsOf(body)) {
      expect(event).toEqual(message("more"));
      break;
    }
    expect(cancelled).toBe(true);
  });
});
