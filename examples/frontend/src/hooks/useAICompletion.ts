import { useCallback, useEffect, useRef, useState } from "react";
import {
  completeChat,
  getPluginBackendUrl,
  isAbort,
  ProxyError,
  settings,
  streamChat,
} from "../client";

export interface AICompletion {
  /** Ask and get the whole answer. Rejects with what `failure` then holds. */
  complete: (prompt: string, model?: string) => Promise<string>;
  /** Ask and let `text` grow; resolves with all of it. */
  stream: (prompt: string, model?: string) => Promise<string>;
  /** End the call that is under way; its promise rejects with an `AbortError`. */
  stop: () => void;
  loading: boolean;
  /** What to show, or `null`. Stopping is no error. */
  error: string | null;
  failure: ProxyError | null;
  text: string;
}

function requestFor(prompt: string, model: string | undefined, signal: AbortSignal) {
  const chat = settings().chat ?? {};
  return {
    url: getPluginBackendUrl("ai-assistant", {
      apiPath: chat.apiPath ?? "/api/v1/assistant/openai-proxy",
    }),
    targetUrl: chat.targetUrl,
    model: model ?? chat.models?.[0] ?? "gpt-4",
    messages: [{ role: "user" as const, content: prompt }],
    signal,
  };
}

export function useAICompletion(): AICompletion {
  const [loading, setLoading] = useState(false);
  const [failure, setFailure] = useState<ProxyError | null>(null);
  const [text, setText] = useState("");
  const running = useRef<AbortController | null>(null);
  const stop = useCallback(() => running.current?.abort(), []);
  // A page that has left the component wants no answer.
  useEffect(() => stop, [stop]);

  /** One call at a time: the next one ends the last. */
  const run = useCallback(
    async (call: (signal: AbortSignal) => Promise<string>): Promise<string> => {
      running.current?.abort();
      const own = new AbortController();
      running.current = own;
      setLoading(true);
      setFailure(null);
      setText("");
      try {
        return await call(own.signal);
      } catch (error) {
        if (!isAbort(error)) {
          setFailure(error instanceof ProxyError ? error : new ProxyError(String(error), "UNKNOWN"));
        }
        throw error;
      } finally {
        if (running.current === own) {
          running.current = null;
          setLoading(false);
        }
      }
    },
    [],
  );

  const complete = useCallback(
    (prompt: string, model?: string) =>
      run(async (signal) => {
        const answer = await completeChat(requestFor(prompt, model, signal));
        setText(answer);
        return answer;
      }),
    [run],
  );

  const stream = useCallback(
    (prompt: string, model?: string) =>
      run(async (signal) => {
        let answer = "";
        for await (const piece of streamChat(requestFor(prompt, model, signal))) {
          answer += piece;
          if (!signal.aborted) setText(answer);
        }
        return answer;
      }),
    [run],
  );

  return { complete, stream, stop, loading, error: failure?.message ?? null, failure, text };
}
