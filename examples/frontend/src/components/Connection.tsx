import { useState } from "react";
import { getPluginBackendUrl, setAuthToken, settings } from "../client";

/** The route's URL, or what is wrong with it: a mistake in `config.js` is no blank page. */
function proxyUrl(apiPath: string): string {
  try {
    return getPluginBackendUrl("ai-assistant", { apiPath });
  } catch (error) {
    return (error as Error).message;
  }
}

/** Which proxy this page calls, and as whom. A real app has its users signed in already. */
export function Connection() {
  const { chat } = settings();
  const [token, setToken] = useState("");
  const change = (value: string) => {
    setToken(value);
    setAuthToken(value);
  };
  return (
    <details>
      <summary>Connection</summary>
      <dl>
        <dt>Proxy</dt>
        <dd>{proxyUrl(chat?.apiPath ?? "/")}</dd>
        <dt>API</dt>
        <dd>{chat?.targetUrl ?? "the one this route is pinned to"}</dd>
      </dl>
      <label htmlFor="token">Your access token for the proxy, if it wants one</label>
      <input
        id="token"
        type="password"
        value={token}
        onChange={(event) => change(event.target.value)}
        autoComplete="off"
      />
      <p className="note">It says who you are. No API key belongs here: the proxy has it.</p>
    </details>
  );
}
