import { afterEach, expect, it, vi } from "vitest";
import { getPluginBackendUrl, ProxyError, streamChat } from ".";

afterEach(() => vi.unstubAllGlobals());

// The lines of docs/frontend.md; tests/browser/test_frontend_docs.py compares.
async function example(show: (text: string) => void): Promise<void> {
  const url = getPluginBackendUrl("ai-assistant", { apiPath: "/api/v1/openai/chat/completions" });
  const messages = [{ role: "user" as const, content: "Hello" }];
  try {
    for await (const piece of streamChat({ url, model: "demo-chat", messages })) show(piece);
  } catch (error) {
    if (!(error instanceof ProxyError)) throw error; // an AbortError: the user pressed Stop
    show(`${error.message} (${error.code}, request ${error.requestId})`);
  }
}

async function shown(response: Response): Promise<string[]> {
  vi.stubGlobal("document", { cookie: "" });
  vi.stubGlobal("NAAP", { backends: { "ai-assistant": "http://proxy.test" } });
  vi.stubGlobal("fetch", async () => response);
  const texts: string[] = [];
  await example((text) => texts.push(text));
  return texts;
}

it("shows the answer", async () => {
  const chunk = { choices: [{ delta: { content: "Hello, too" } }] };
  const body = `data: ${JSON.stringify(chunk)}\n\ndata: [DONE]\n\n`;
  expect(await shown(new Response(body))).toEqual(["Hello, too"]);
});

it("shows what went wrong", async () => {
  const headers = { "X-Request-ID": "req-1" };
  const error = { message: "Slow down", code: "rate_limit_exceeded" };
  expect(await shown(Response.json({ error }, { status: 429, headers }))).toEqual([
    "Slow down (rate_limit_exceeded, request req-1)",
  ]);
});
