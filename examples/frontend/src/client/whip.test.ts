import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { WhipClient } from "./whip";
import type { WhipOptions, WhipStatus } from "./whip";

const ENDPOINT = "http://proxy.test/api/v1/whip";
const SESSION = "http://proxy.test/api/v1/whip/whip-session/t";
const fetched = vi.fn<typeof fetch>();
let statuses: WhipStatus[];
let peer: FakePeer;

/** As much of an RTCPeerConnection as a publisher touches. */
class FakePeer extends EventTarget {
  iceGatheringState = "complete";
  connectionState = "new";
  localDescription = { sdp: "v=0\r\na=ice-ufrag:u\r\na=ice-pwd:p\r\nm=video 9 X 96\r\na=mid:0\r\n" };
  answer = "";
  closed = false;
  addTransceiver = vi.fn();
  createOffer = async () => ({});
  setLocalDescription = async () => {};
  setRemoteDescription = async ({ sdp }: { sdp: string }) => void (this.answer = sdp);
  close = () => void (this.closed = true);

  becomes(state: string): void {
    this.connectionState = state;
    this.dispatchEvent(new Event("connectionstatechange"));
  }
}

const STREAM = { getTracks: () => ["video"] } as unknown as MediaStream;

function client(options: Partial<WhipOptions> = {}): WhipClient {
  return new WhipClient({
    url: ENDPOINT,
    onStatus: (status) => statuses.push(status),
    createPeer: () => peer as unknown as RTCPeerConnection,
    ...options,
  });
}

const created = (headers: Record<string, string> = {}) =>
  new Response("v=0 answer", {
    status: 201,
    headers: { Location: "/api/v1/whip/whip-session/t", ETag: '"1"', ...headers },
  });

const calls = () => fetched.mock.calls.map(([url, init]) => `${init?.method} ${String(url)}`);
const headersOf = (call: number) => new Headers(fetched.mock.calls[call]?.[1]?.headers);

beforeEach(() => {
  statuses = [];
  peer = new FakePeer();
  fetched.mockReset().mockImplementation(async (_, init) =>
    init?.method === "POST" ? created() : new Response(null, { status: 204 }),
  );
  vi.stubGlobal("fetch", fetched);
  vi.stubGlobal("document", { cookie: "" });
});
afterEach(() => vi.unstubAllGlobals());

describe("WhipClient", () => {
  it("offers, takes the answer, and ends the session where Location says", async () => {
    const whip = client({ whipUrl: "https://media.example/whip" });
    await whip.publish(STREAM);
    expect(peer.addTransceiver).toHaveBeenCalledWith("video", expect.anything());
    expect(peer.answer).toBe("v=0 answer");
    expect(headersOf(0).get("X-WHIP-URL")).toBe("https://media.example/whip");
    expect(whip.session).toBe(SESSION);
    peer.becomes("connected");
    await whip.close();
    expect(calls()).toEqual([`POST ${ENDPOINT}`, `DELETE ${SESSION}`]);
    expect(headersOf(1).has("If-Match")).toBe(false);
    expect(statuses).toEqual(["connecting", "connected", "closed"]);
    expect(peer.closed).toBe(true);
    await whip.close();
    expect(calls()).toHaveLength(2);
  });

  it("gives up where an answer brings no media connection", async () => {
    vi.useFakeTimers();
    const failed: string[] = [];
    const whip = client({ connectTimeout: 5000, onFailure: (error) => failed.push(error.code) });
    await whip.publish(STREAM);
    await vi.advanceTimersByTimeAsync(4999);
    expect(failed).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(failed).toEqual(["NO_MEDIA"]);
    expect(statuses).toEqual(["connecting", "failed"]);
    expect(calls()).toEqual([`POST ${ENDPOINT}`, `DELETE ${SESSION}`]);
    vi.useRealTimers();
  });

  it("trickles what it finds under the known ETag", async () => {
    peer.iceGatheringState = "gathering";
    const whip = client({ trickle: true });
    await whip.publish(STREAM);
    expect(calls()).toEqual([`POST ${ENDPOINT}`]);
    const candidate = { candidate: "candidate:1 1 udp 1 192.0.2.1 9 typ host", sdpMid: "0" };
    peer.dispatchEvent(Object.assign(new Event("icecandidate"), { candidate }));
    await vi.waitFor(() => expect(calls()).toContain(`PATCH ${SESSION}`));
    expect(headersOf(1).get("If-Match")).toBe('"1"');
    expect(headersOf(1).get("Content-Type")).toBe("application/trickle-ice-sdpfrag");
    expect(fetched.mock.calls[1]?.[1]?.body).toContain(`a=${candidate.candidate}\r\n`);
  });

  it("leaves nothing open when the offer is refused", async () => {
    fetched.mockResolvedValue(new Response("{}", { status: 403 }));
    await expect(client().publish(STREAM)).rejects.toMatchObject({ status: 403 });
    expect(peer.closed).toBe(true);
    expect(calls()).toHaveLength(1);
    expect(statuses).toEqual(["connecting", "failed"]);
  });

  it("ends a session that was opened while it was being stopped", async () => {
    let answer: (response: Response) => void = () => {};
    fetched.mockImplementationOnce(() => new Promise((resolve) => (answer = resolve)));
    const whip = client();
    const publishing = whip.publish(STREAM);
    await vi.waitFor(() => expect(calls()).toHaveLength(1));
    await whip.close();
    answer(created());
    await expect(publishing).rejects.toMatchObject({ name: "AbortError" });
    expect(calls()).toEqual([`POST ${ENDPOINT}`, `DELETE ${SESSION}`]);
    expect(statuses).toEqual(["connecting", "closed"]);
  });

  it("does not mind a session that is gone, and tells of one that can not be ended", async () => {
    for (const [status, told] of [
      [404, false],
      [502, true],
    ] as const) {
      peer = new FakePeer();
      const whip = client();
      await whip.publish(STREAM);
      fetched.mockResolvedValueOnce(new Response("{}", { status }));
      const ended = await whip.close().then(
        () => false,
        () => true,
      );
      expect(ended).toBe(told);
    }
  });
});
