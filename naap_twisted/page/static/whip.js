// A WHIP session (RFC 9725): one offer, one answer, one Location that ends it.

import { refusalOf } from "./failure.js";

const GATHERING_MS = 2000;
const ICE_SERVER = /<([^>]*)>((?:\s*;[^,]*)*)/g;

// RTCIceServer values of a Link header's lines with rel="ice-server" (section 4.6).
export function iceServersOf(link) {
  const found = [];
  for (const [, urls, parameters] of (link ?? "").matchAll(ICE_SERVER)) {
    const value = (name) => new RegExp(`;\\s*${name}\\s*=\\s*"?([^";]*)`, "i").exec(parameters)?.[1];
    if (value("rel") !== "ice-server") continue;
    const [username, credential] = [value("username"), value("credential")];
    found.push(username === undefined ? { urls } : { urls, username, credential });
  }
  return found;
}

// Resolves when *connection* knows its candidates; a slow network interface is not waited for.
function gathered(connection) {
  return new Promise((resolve) => {
    setTimeout(resolve, GATHERING_MS);
    connection.addEventListener("icegatheringstatechange", () => {
      if (connection.iceGatheringState === "complete") resolve();
    });
  });
}

export class WhipSession {
  // *endpoint* is the proxy's route, *headers* name the upstream; onState(connectionState).
  constructor(endpoint, headers, onState) {
    this.endpoint = endpoint;
    this.headers = headers;
    this.location = null;
    // No ICE servers but those that the endpoint itself names: nobody else learns of this call.
    this.connection = new RTCPeerConnection({ iceServers: [] });
    this.connection.addEventListener("connectionstatechange", () =>
      onState(this.connection.connectionState));
  }

  // Sends *stream*; gives the answer's {status, location}. Rejects with CallFailed when refused.
  async start(stream, signal) {
    for (const track of stream.getTracks()) {
      this.connection.addTransceiver(track, { direction: "sendonly", streams: [stream] });
    }
    const ready = gathered(this.connection);
    await this.connection.setLocalDescription();
    await ready;
    const response = await fetch(this.endpoint, {
      method: "POST",
      headers: { "Content-Type": "application/sdp", ...this.headers },
      body: this.connection.localDescription.sdp,
      signal,
    });
    if (response.status !== 201) throw await refusalOf(response);
    const location = response.headers.get("Location");
    this.location = location && new URL(location, response.url).href;
    const iceServers = iceServersOf(response.headers.get("Link"));
    if (iceServers.length) this.connection.setConfiguration({ iceServers });
    await this.connection.setRemoteDescription({ type: "answer", sdp: await response.text() });
    return { status: response.status, location: this.location };
  }

  // Ends the session at the endpoint and here; gives DELETE's status, null if there was none.
  async stop() {
    const location = this.location;
    this.location = null;
    try {
      if (!location) return null;
      // keepalive: it also goes out when the page is being closed.
      return (await fetch(location, { method: "DELETE", keepalive: true })).status;
    } finally {
      // Not before: an endpoint that sees the media end forgets the session by itself.
      this.connection.close();
    }
  }
}
