export interface SseEvent {
  /** `message` unless the stream named another. */
  event: string;
  data: string;
}

/**
 * Server-sent events out of bytes that were cut anywhere (HTML standard, "Parsing an event stream").
 *
 * `id` and `retry` are for streams that resume; these do not, so both are dropped.
 */
export class SseParser {
  // A byte order mark is dropped by the decoder, and a character is never cut in half.
  readonly #decoder = new TextDecoder();
  #line = "";
  #afterReturn = false;
  #event = "";
  #data: string[] = [];

  /** The events that *bytes* complete. An event that its stream never ended is never given. */
  feed(bytes: Uint8Array): SseEvent[] {
    const events: SseEvent[] = [];
    let text = this.#decoder.decode(bytes, { stream: true });
    // CR LF is one line end, also when it came in two pieces.
    if (this.#afterReturn && text !== "") {
      if (text.startsWith("\n")) text = text.slice(1);
      this.#afterReturn = false;
    }
    this.#afterReturn ||= text.endsWith("\r");
    const lines = text.split(/\r\n|\r|\n/);
    const unfinished = lines.pop() ?? "";
    for (const line of lines) {
      const event = this.#take(this.#line + line);
      this.#line = "";
      if (event) events.push(event);
    }
    this.#line += unfinished;
    return events;
  }

  #take(line: string): SseEvent | null {
    if (line === "") return this.#dispatch();
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "data") this.#data.push(value);
    if (field === "event") this.#event = value;
    return null;
  }

  #dispatch(): SseEvent | null {
    const event = this.#data.length
      ? { event: this.#event || "message", data: this.#data.join("\n") }
      : null;
    this.#data = [];
    this.#event = "";
    return event;
  }
}

/** The events of a response's body. Leaving the loop early ends the request. */
export async function* eventsOf(body: ReadableStream<Uint8Array>): AsyncGenerator<SseEvent, void> {
  // A reader: not every browser can iterate over the stream itself.
  const reader = body.getReader();
  const parser = new SseParser();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield* parser.feed(value);
    }
  } finally {
    await reader.cancel().catch(() => undefined); // it may have failed already
  }
}
