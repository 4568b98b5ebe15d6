import { BAD_ANSWER, errorFrom, factsOf, ProxyError, STREAM_CUT } from "./errors";
import type { ErrorFacts } from "./errors";
import { proxyFetch } from "./proxyFetch";
import { eventsOf } from "./sse";

export interface ChatMessage {
  role: "system" | "user" | "assistant";
  content: string;
}

export interface ChatRequest {
  /** The proxy's route, from `getPluginBackendUrl`. */
  url: string;
  /** The API's URL where the route is not pinned to one. */
  targetUrl?: string | undefined;
  model: string;
  messages: ChatMessage[];
  maxTokens?: number;
  signal?: AbortSignal;
}

function post(request: ChatRequest, stream: boolean): Promise<Response> {
  return proxyFetch(request.url, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    targetUrl: request.targetUrl,
    signal: request.signal ?? null,
    body: JSON.stringify({
      model: request.model,
      messages: request.messages,
      max_tokens: request.maxTokens ?? 500,
      ...(stream && { stream }),
    }),
  });
}

function parse<T>(text: string, facts: ErrorFacts): T {
  try {
    return JSON.parse(text) as T;
  } catch (error) {
    throw new ProxyError("The answer is not JSON", BAD_ANSWER, facts, { cause: error });
  }
}

interface Completion {
  choices?: { message?: { content?: string | null } }[];
}

/** The whole answer at once. Throws as `proxyFetch` does. */
export async function completeChat(request: ChatRequest): Promise<string> {
  const response = await post(request, false);
  const facts = factsOf(response);
  const answer = parse<Completion>(await response.text(), facts);
  const content = answer.choices?.[0]?.message?.content;
  if (typeof content === "string") return content;
  throw new ProxyError("The answer holds no message", BAD_ANSWER, facts);
}

interface Chunk {
  error?: unknown;
  choices?: { delta?: { content?: string | null } }[];
}

/** Pieces of text out of the body's events, as far as `[DONE]`. */
async function* piecesOf(response: Response, facts: ErrorFacts): AsyncGenerator<string, boolean> {
  if (!response.body) return false;
  for await (const { data } of eventsOf(response.body)) {
    if (data === "[DONE]") return true;
    const chunk = parse<Chunk>(data, facts);
    // An API that fails once its 200 is out can only say so in the stream.
    if (chunk.error) throw errorFrom(chunk, facts);
    const text = chunk.choices?.[0]?.delta?.content;
    if (text) yield text;
  }
  return false;
}

/**
 * The answer piece by piece, as it is written. Leaving the loop, or aborting `signal`, ends the
 * call, and the proxy's call to the API with it.
 *
 * It returns only after the API's `[DONE]`; a stream that ends before that was cut.
 *
 * @throws {ProxyError} as `proxyFetch`; `STREAM_CUT` when the answer is not all there.
 * @throws the signal's reason (`AbortError`), when `signal` was aborted.
 */
export async function* streamChat(request: ChatRequest): AsyncGenerator<string, void> {
  const response = await post(request, true);
  const facts = factsOf(response);
  let cause: unknown;
  try {
    if (yield* piecesOf(response, facts)) return;
  } catch (error) {
    request.signal?.throwIfAborted();
    if (error instanceof ProxyError) throw error;
    cause = error;
  }
  throw new ProxyError("The answer was cut: what you see is not all of it", STREAM_CUT, facts, {
    cause,
  });
}
