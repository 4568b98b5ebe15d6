import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { completeChat, streamChat } from "./chat";

const fetched = vi.fn<typeof fetch>();
const REQUEST = { url: "http://proxy/chat", model: "m", messages: [] };

beforeEach(() => {
  vi.stubGlobal("fetch", fetched.mockReset());
  vi.stubGlobal("document", { cookie: "" });
});
afterEach(() => vi.unstubAllGlobals());

function streamed(...events: string[]): void {
  const body = events.map((data) => `data: ${data}\n\n`).join("");
  fetched.mockResolvedValue(new Response(body, { headers: { "X-Request-ID": "req-1" } }));
}

const piece = (content: string) => JSON.stringify({ choices: [{ delta: { content } }] });

async function collect(request = REQUEST): Promise<string[]> {
  const pieces: string[] = [];
  for await (const text of streamChat(request)) pieces.push(text);
  return pieces;
}

describe("streamChat", () => {
  it("gives the pieces as far as [DONE]", async () => {
    streamed(piece("Hello"), piece(""), '{"choices":[]}', piece(" you"), "[DONE]", piece("more"));
    expect(await collect()).toEqual(["Hello", " you"]);
  });

  it("tells a cut stream from a finished one", async () => {
    streamed(piece("Hello"));
    await expect(collect()).rejects.toMatchObject({ code: "STREAM_CUT", requestId: "req-1" });
  });

  it("tells a broken connection as a cut", async () => {
    const broken = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.error(new TypeError("network error")),
    });
    fetched.mockResolvedValue(new Response(broken));
    await expect(collect()).rejects.toMatchObject({ code: "STREAM_CUT" });
  });

  it("throws the error that stands in the stream", async () => {
    streamed(piece("Hel"), '{"error":{"message":"Overloaded","code":"overloaded"}}');
    await expect(collect()).rejects.toMatchObject({ message: "Overloaded", code: "overloaded" });
  });

  it("refuses what is no chunk", async () => {
    streamed("{", "[DONE]");
    await expect(collect()).rejects.toMatchObject({ code: "BAD_ANSWER" });
  });
});

describe("completeChat", () => {
  it("gives the message's text", async () => {
    fetched.mockResolvedValue(Response.json({ choices: [{ message: { content: "Hello" } }] }));
    expect(await completeChat(REQUEST)).toBe("Hello");
  });

  it("refuses an answer without one", async () => {
    fetched.mockResolvedValue(Response.json({ choices: [] }));
    await expect(completeChat(REQUEST)).rejects.toMatchObject({ code: "BAD_ANSWER" });
  });
});
