import { describe, expect, it } from "vitest";
import { errorOf, retryAfterOf } from "./errors";

function answer(status: number, body: unknown, headers: Record<string, string> = {}): Response {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return new Response(text, { status, headers: { "X-Request-ID": "req-1", ...headers } });
}

const envelope = (message: string, code: string) => ({
  success: false,
  error: { message, code, type: "invalid_request_error", param: null },
});

describe("errorOf", () => {
  it("takes the proxy's code, message and request id", async () => {
    const said = 'Host "evil.com" is not in the allowed list';
    expect(await errorOf(answer(400, envelope(said, "HOST_NOT_ALLOWED")))).toMatchObject({
      message: said,
      code: "HOST_NOT_ALLOWED",
      status: 400,
      requestId: "req-1",
      retryAfter: null,
    });
  });

  it("reads the API's words out of the envelope's message", async () => {
    const quoted = 'External API returned 429: {"error":{"message":"Slow down."}}';
    const error = await errorOf(
      answer(429, envelope(quoted, "UPSTREAM_ERROR"), { "Retry-After": "3" }),
    );
    expect(error.message).toBe("External API returned 429: Slow down.");
    expect(error.retryAfter).toBe(3);
  });

  it("leaves other words as they are", async () => {
    for (const said of ["External API returned 500: {not json}", 'a {"b":1}', "a {"]) {
      expect((await errorOf(answer(500, envelope(said, "UPSTREAM_ERROR")))).message).toBe(said);
    }
  });

  it("takes an OpenAI error as a pinned route relays it", async () => {
    const error = { message: "Rate limit reached", type: "requests", code: "rate_limit_exceeded" };
    expect(await errorOf(answer(429, { error }))).toMatchObject({ code: error.code, status: 429 });
    const coded = { error: { ...error, code: null } };
    expect(await errorOf(answer(500, coded))).toMatchObject({ code: "requests" });
  });

  it("makes do with what is no error document", async () => {
    for (const body of ["<html>", "", "null", "[]", '"text"', '{"error":null}', '{"error":{}}']) {
      expect(await errorOf(answer(503, body))).toMatchObject({
        message: "The server answered 503",
        code: "HTTP_503",
      });
    }
  });
});

describe("errorOf, where no proxy answered", () => {
  it("says what to look at", async () => {
    const error = await errorOf(new Response("<html>", { status: 501 }));
    expect(error.code).toBe("HTTP_501");
    expect(error.message).toContain("is not the proxy: see \"backends\" in config.js");
  });
});

describe("retryAfterOf", () => {
  const now = Date.parse("2030-01-01T00:00:00Z");
  it.each([
    [null, null],
    ["", null],
    ["7", 7],
    ["-1", 0],
    ["Tue, 01 Jan 2030 00:00:30 GMT", 30],
    ["Tue, 01 Jan 2020 00:00:00 GMT", 0],
    ["soon", null],
  ])("%s is %s", (value, seconds) => {
    expect(retryAfterOf(value, now)).toBe(seconds);
  });
});
