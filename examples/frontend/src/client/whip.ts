import { BAD_ANSWER, NO_MEDIA, factsOf, isAbort, ProxyError } from "./errors";
import { proxyFetch } from "./proxyFetch";
import { FRAGMENT_TYPE, fragmentOf } from "./sdpFragment";

export type WhipStatus = "idle" | "connecting" | "connected" | "disconnected" | "failed" | "closed";

export interface WhipOptions {
  /** The proxy's route, from `getPluginBackendUrl`. */
  url: string;
  /** The WHIP endpoint's own URL where the route is not pinned to one. */
  whipUrl?: string | undefined;
  iceServers?: RTCIceServer[];
  /** Send candidates as they are found (PATCH) and not all at once in the offer. */
  trickle?: boolean;
  /** Milliseconds that an offer waits for its candidates, without `trickle`. */
  gatherTimeout?: number;
  /** Milliseconds from the answer on in which media have to flow. */
  connectTimeout?: number;
  onStatus?: (status: WhipStatus) => void;
  /** What ended a session that `publish` had opened. */
  onFailure?: (error: ProxyError) => void;
  createPeer?: (configuration: RTCConfiguration) => RTCPeerConnection;
}

const STATUSES: Partial<Record<RTCPeerConnectionState, WhipStatus>> = {
  connected: "connected",
  disconnected: "disconnected",
  failed: "failed",
};

function gathered(peer: RTCPeerConnection, timeout: number): Promise<void> {
  return new Promise((resolve) => {
    const check = () => peer.iceGatheringState === "complete" && resolve();
    peer.addEventListener("icegatheringstatechange", check);
    setTimeout(resolve, timeout); // what was found by then has to do
    check();
  });
}

/**
 * Publishes one MediaStream through the proxy (WHIP, RFC 9725). For one session; make another for
 * the next.
 *
 * The session is addressed by the proxy's `Location`, so that candidates and the end go the same
 * way as the offer did, with the same key and checks.
 */
export class WhipClient {
  readonly #options: WhipOptions;
  readonly #ending = new AbortController();
  #peer: RTCPeerConnection | null = null;
  #session: string | null = null;
  #etag: string | null = null;
  #found: RTCIceCandidate[] = [];
  #waiting: ReturnType<typeof setTimeout> | undefined;

  constructor(options: WhipOptions) {
    this.#options = options;
  }

  /** Where the session is, once it is; a URL of the proxy's. */
  get session(): string | null {
    return this.#session;
  }

  /**
   * Offer *stream*'s tracks. Resolves with the answer applied; `onStatus` tells when media flow.
   *
   * @throws {ProxyError} the offer was refused; nothing is left open then.
   */
  async publish(stream: MediaStream): Promise<void> {
    const { createPeer, iceServers = [], trickle = false, gatherTimeout = 2000 } = this.#options;
    const { connectTimeout = 15_000, onFailure } = this.#options;
    const make = createPeer ?? ((configuration) => new RTCPeerConnection(configuration));
    const peer = make({ iceServers, bundlePolicy: "max-bundle" });
    this.#peer = peer;
    this.#report("connecting");
    this.#watch(peer, trickle);
    try {
      for (const track of stream.getTracks()) {
        peer.addTransceiver(track, { direction: "sendonly", streams: [stream] });
      }
      await peer.setLocalDescription(await peer.createOffer());
      if (!trickle) await gathered(peer, gatherTimeout);
      const answer = await this.#offer(peer.localDescription?.sdp ?? "");
      await peer.setRemoteDescription({ type: "answer", sdp: answer });
      if (trickle) await this.#patch(peer);
      if (peer.connectionState !== "connected") {
        // ICE itself never gives up on an answer without candidates.
        this.#waiting = setTimeout(() => {
          void this.#end("failed").catch(() => undefined); // why it failed is the thing to tell
          onFailure?.(new ProxyError("The endpoint answered, but no media connection came", NO_MEDIA));
        }, connectTimeout);
      }
    } catch (error) {
      await this.#end("failed").catch(() => undefined); // the first error is the one to tell
      throw error;
    }
  }

  /**
   * End the session: DELETE, so that the endpoint need not wait for a timeout.
   *
   * @throws {ProxyError} the endpoint could not be told; the connection is closed all the same.
   */
  close(): Promise<void> {
    return this.#end("closed");
  }

  async #offer(sdp: string): Promise<string> {
    const { url, whipUrl } = this.#options;
    // Not aborted by close(): a session that was opened has to be known to be ended.
    const response = await proxyFetch(url, {
      method: "POST",
      headers: { "Content-Type": "application/sdp" },
      targetHeader: "X-WHIP-URL",
      targetUrl: whipUrl,
      body: sdp,
    });
    const location = response.headers.get("Location");
    if (!location) {
      throw new ProxyError("The answer names no session", BAD_ANSWER, factsOf(response));
    }
    this.#session = new URL(location, response.url || url).href;
    this.#etag = response.headers.get("ETag");
    const answer = await response.text();
    this.#ending.signal.throwIfAborted();
    return answer;
  }

  #watch(peer: RTCPeerConnection, trickle: boolean): void {
    peer.addEventListener("connectionstatechange", () => {
      const status = STATUSES[peer.connectionState];
      if (status) clearTimeout(this.#waiting);
      if (status && !this.#ending.signal.aborted) this.#report(status);
    });
    if (!trickle) return;
    peer.addEventListener("icecandidate", ({ candidate }) => {
      if (candidate?.candidate) this.#found.push(candidate);
      // A candidate that a PATCH did not bring may not be needed: the connection's state tells.
      if (this.#session) void this.#patch(peer).catch(() => undefined);
    });
  }

  /** Send the candidates found since the last time. */
  async #patch(peer: RTCPeerConnection): Promise<void> {
    const complete = peer.iceGatheringState === "complete";
    const found = this.#found.splice(0);
    if (!this.#session || !(found.length || complete)) return;
    const response = await proxyFetch(this.#session, {
      method: "PATCH",
      headers: { "Content-Type": FRAGMENT_TYPE, ...(this.#etag && { "If-Match": this.#etag }) },
      body: fragmentOf(peer.localDescription?.sdp ?? "", found, complete),
      signal: this.#ending.signal,
    }).catch((error: unknown) => {
      if (isAbort(error)) return null;
      throw error;
    });
    this.#etag = response?.headers.get("ETag") ?? this.#etag;
  }

  async #end(status: WhipStatus): Promise<void> {
    if (!this.#ending.signal.aborted) {
      this.#ending.abort();
      clearTimeout(this.#waiting);
      this.#peer?.close();
      this.#report(status);
    }
    const session = this.#session;
    this.#session = null;
    if (!session) return;
    try {
      // keepalive: the page may be closing. No If-Match: the end needs no state to match.
      await proxyFetch(session, { method: "DELETE", keepalive: true });
    } catch (error) {
      const gone = error instanceof ProxyError && [404, 410].includes(error.status);
      if (!gone) throw error;
    }
  }

  #report(status: WhipStatus): void {
    this.#options.onStatus?.(status);
  }
}
