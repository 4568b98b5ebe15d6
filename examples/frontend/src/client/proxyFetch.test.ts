import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { getPluginBackendUrl } from "./backend";
import { getCsrfToken } from "./csrf";
import { proxyFetch } from "./proxyFetch";
import { setAuthToken } from "./token";

const fetched = vi.fn<typeof fetch>();
let cookie = "";

beforeEach(() => {
  cookie = "";
  fetched.mockReset().mockImplementation(async () => new Response("ok"));
  vi.stubGlobal("fetch", fetched);
  vi.stubGlobal("document", {
    get cookie() {
      return cookie;
    },
  });
});

afterEach(() => {
  vi.unstubAllGlobals();
  setAuthToken("");
});

const sent = () => new Headers(fetched.mock.calls[0]?.[1]?.headers);

describe("getPluginBackendUrl", () => {
  const apiPath = "/api/v1/x";

  it("looks the plugin up, else takes the page's own origin", () => {
    vi.stubGlobal("location", { origin: "https://app.example" });
    vi.stubGlobal("NAAP", { backends: { ai: "http://127.0.0.1:4020" } });
    expect(getPluginBackendUrl("ai", { apiPath })).toBe("http://127.0.0.1:4020/api/v1/x");
    expect(getPluginBackendUrl("other", { apiPath })).toBe("https://app.example/api/v1/x");
  });
});

describe("getPluginBackendUrl, misconfigured", () => {
  it.each(["127.0.0.1:4020", "localhost:4020", ""])("says that %j is no origin", (origin) => {
    vi.stubGlobal("NAAP", { backends: { ai: origin } });
    expect(() => getPluginBackendUrl("ai", { apiPath: "/x" })).toThrow(
      expect.objectContaining({
        code: "BAD_CONFIG",
        message: expect.stringContaining('backends["ai"]'),
      }),
    );
  });
});

describe("getCsrfToken", () => {
  it.each([
    ["naap_csrf_token=t-1", "t-1"],
    ["theme=dark; naap_csrf_token=a%2Fb=; x=1", "a%2Fb="],
    ["not_naap_csrf_token=t; naap_csrf_token=", null],
    ["", null],
  ])("%j is %j", (cookies, token) => {
    expect(getCsrfToken(cookies)).toBe(token);
  });
});

describe("proxyFetch", () => {
  it("names the target and who calls", async () => {
    cookie = "naap_csrf_token=t-1";
    setAuthToken(" token ");
    await proxyFetch("http://proxy/x", { targetUrl: "https://api/x", targetHeader: "X-WHIP-URL" });
    expect(sent().get("X-WHIP-URL")).toBe("https://api/x");
    expect(sent().get("X-CSRF-Token")).toBe("t-1");
    expect(sent().get("Authorization")).toBe("Bearer token");
  });

  it("sends no header without a value: each would need the preflight's leave", async () => {
    await proxyFetch("http://proxy/x");
    expect([...sent().keys()]).toEqual([]);
  });

  it("tells a proxy that is not there from an answer", async () => {
    fetched.mockRejectedValue(new TypeError("Failed to fetch"));
    await expect(proxyFetch("http://proxy/x")).rejects.toMatchObject({ code: "NETWORK", status: 0 });
  });

  it("throws the signal's reason when it was stopped", async () => {
    const stopped = AbortSignal.abort();
    fetched.mockRejectedValue(stopped.reason);
    await expect(proxyFetch("http://proxy/x", { signal: stopped })).rejects.toBe(stopped.reason);
  });
});
