export interface ErrorFacts {
  status: number;
  requestId: string | null;
  retryAfter: number | null;
}

/** The codes that are this client's own; every other one is the proxy's or the API's. */
export const NETWORK = "NETWORK";
export const STREAM_CUT = "STREAM_CUT";
export const BAD_ANSWER = "BAD_ANSWER";
export const BAD_CONFIG = "BAD_CONFIG";
export const NO_MEDIA = "NO_MEDIA";

/**
 * A call that failed, whoever refused it.
 *
 * `code`: the proxy's (`HOST_NOT_ALLOWED`, ...), the API's own on a pinned route
 * (`rate_limit_exceeded`), or one of this client's.
 * `status`: the HTTP status, 0 where there was no answer.
 * `requestId`: names the call in the proxy's log.
 * `retryAfter`: seconds to wait, where the answer said so.
 */
export class ProxyError extends Error {
  readonly status: number;
  readonly requestId: string | null;
  readonly retryAfter: number | null;

  constructor(
    message: string,
    readonly code: string,
    facts: Partial<ErrorFacts> = {},
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = "ProxyError";
    this.status = facts.status ?? 0;
    this.requestId = facts.requestId ?? null;
    this.retryAfter = facts.retryAfter ?? null;
  }
}

/** Whether it is the caller who ended the call, through its `signal`. */
export function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === "AbortError";
}

/** `Retry-After` in seconds: a number, or a date (RFC 9110 section 10.2.3). */
export function retryAfterOf(value: string | null, now: number = Date.now()): number | null {
  if (value === null || value.trim() === "") return null;
  const seconds = Number(value);
  if (Number.isFinite(seconds)) return Math.max(0, seconds);
  const date = Date.parse(value);
  return Number.isNaN(date) ? null : Math.max(0, Math.ceil((date - now) / 1000));
}

export function factsOf(response: Response): ErrorFacts {
  return {
    status: response.status,
    requestId: response.headers.get("X-Request-ID"),
    retryAfter: retryAfterOf(response.headers.get("Retry-After")),
  };
}

interface ErrorBody {
  error?: { message?: unknown; code?: unknown; type?: unknown };
}

/** The envelope quotes the API's words after its status; often they are JSON again. */
function readable(message: string): string {
  const quoted = /^([^{]*)(\{.*\})\s*$/s.exec(message);
  if (!quoted) return message;
  try {
    const inner = (JSON.parse(quoted[2] ?? "") as ErrorBody).error?.message;
    return typeof inner === "string" ? `${quoted[1]}${inner}` : message;
  } catch {
    return message;
  }
}

/** An error of either shape, the proxy's envelope and the OpenAI API's, which agree on `error`. */
export function errorFrom(body: unknown, facts: ErrorFacts): ProxyError {
  const error = (typeof body === "object" && body !== null ? (body as ErrorBody) : {}).error ?? {};
  const message =
    typeof error.message === "string"
      ? readable(error.message)
      : `The server answered ${facts.status}`;
  const code = [error.code, error.type].find((each) => typeof each === "string" && each !== "");
  return new ProxyError(message, (code as string | undefined) ?? `HTTP_${facts.status}`, facts);
}

/** What a refused call says. Reads the body. */
export async function errorOf(response: Response): Promise<ProxyError> {
  const body: unknown = await response.json().catch(() => null);
  const facts = factsOf(response);
  const error = errorFrom(body, facts);
  if (facts.requestId !== null || !error.code.startsWith("HTTP_")) return error;
  // Every answer of the proxy's has a request id: somebody else was asked.
  return new ProxyError(
    `${error.message}, and is not the proxy: see "backends" in config.js`,
    error.code,
    facts,
  );
}
