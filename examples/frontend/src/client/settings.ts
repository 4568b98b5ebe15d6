/** What the page's `config.js` says; see `public/config.js`. */
export interface Settings {
  /** Plugin name to origin. A plugin that is not named is on the page's own origin. */
  backends?: Record<string, string>;
  /** `"include"` sends the session's cookies; the proxy must then list the page's origin. */
  credentials?: RequestCredentials;
  chat?: {
    apiPath?: string;
    /** Sent as `X-Target-URL`; leave it out where the route is pinned to one API. */
    targetUrl?: string;
    models?: string[];
    /** `false` for an API, or a model, that gives its answer all at once. */
    stream?: boolean;
  };
  whip?: {
    apiPath?: string;
    /** Sent as `X-WHIP-URL`; leave it out where the route is pinned, `""` to ask for it. */
    whipUrl?: string;
    trickle?: boolean;
    /** STUN and TURN servers; none where the endpoint has a public address. */
    iceServers?: RTCIceServer[];
  };
}

declare global {
  var NAAP: Settings | undefined;
}

export function settings(): Settings {
  return globalThis.NAAP ?? {};
}
