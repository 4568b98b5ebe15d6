import { getCsrfToken } from "./csrf";
import { errorOf, NETWORK, ProxyError } from "./errors";
import { settings } from "./settings";
import { getAuthToken } from "./token";

export interface ProxyRequest extends RequestInit {
  /** The API's URL, sent in `targetHeader`; leave it out on a pinned route. */
  targetUrl?: string | undefined;
  /** The route's `target_url_header`. */
  targetHeader?: string;
}

/** Who calls. A cookie session needs its CSRF token; a Bearer token needs none. */
function addCredentials(headers: Headers): void {
  const token = getAuthToken();
  const csrf = getCsrfToken();
  if (token) headers.set("Authorization", `Bearer ${token}`);
  if (csrf) headers.set("X-CSRF-Token", csrf);
}

/**
 * `fetch` through the proxy: adds the target's header and who calls, and throws for every answer
 * that is not 2xx.
 *
 * @throws {ProxyError} with `code`, `status`, `requestId` and `retryAfter`.
 * @throws the signal's reason (`AbortError`), when `signal` was aborted.
 */
export async function proxyFetch(url: string, request: ProxyRequest = {}): Promise<Response> {
  const { targetUrl, targetHeader = "X-Target-URL", ...init } = request;
  const headers = new Headers(init.headers);
  if (targetUrl) headers.set(targetHeader, targetUrl);
  addCredentials(headers);
  const credentials = settings().credentials ?? "same-origin";
  let response: Response;
  try {
    response = await fetch(url, { credentials, ...init, headers });
  } catch (error) {
    init.signal?.throwIfAborted();
    // A script is not told which of the two it was; the console and the proxy's log are.
    throw new ProxyError(
      "The proxy can not be reached, or does not let this page in: see the browser's console",
      NETWORK,
      {},
      { cause: error },
    );
  }
  if (!response.ok) throw await errorOf(response);
  return response;
}
