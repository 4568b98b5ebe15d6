import type { ProxyError } from "../client";

/** What went wrong, in words, and what to quote when asking for help. */
export function Failure({ failure }: { failure: ProxyError | null }) {
  return (
    <div role="alert">
      {failure && (
        <div className="error">
          <p>{failure.message}</p>
          <p className="facts">
            <span>code {failure.code}</span>
            {failure.status > 0 && <span>status {failure.status}</span>}
            {failure.retryAfter !== null && <span>try again in {failure.retryAfter} s</span>}
            {failure.requestId && <span>request {failure.requestId}</span>}
          </p>
        </div>
      )}
    </div>
  );
}
