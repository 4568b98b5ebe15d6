/** The proxy's `csrf_cookie`; the service that signs users in sets it beside the session's. */
export const CSRF_COOKIE = "naap_csrf_token";

/**
 * What `X-CSRF-Token` has to repeat, or `null` without a cookie session.
 *
 * @param cookies `document.cookie`, unless a test says otherwise.
 */
export function getCsrfToken(cookies: string = document.cookie): string | null {
  for (const pair of cookies.split(";")) {
    const [name, ...value] = pair.trim().split("=");
    // As it stands: the proxy compares it with and without its percent-encoding.
    if (name === CSRF_COOKIE) return value.join("=") || null;
  }
  return null;
}
