import { BAD_CONFIG, ProxyError } from "./errors";
import { settings } from "./settings";

/**
 * The URL of a plugin's route.
 *
 * @param name the plugin, as `config.js` names it under `backends`.
 * @param options.apiPath the route's path, from the root: `/api/v1/assistant/openai-proxy`.
 * @throws {ProxyError} `BAD_CONFIG` when what `config.js` says is no http origin.
 */
export function getPluginBackendUrl(name: string, options: { apiPath: string }): string {
  const origin = settings().backends?.[name] ?? globalThis.location.origin;
  // "localhost:4020" is a URL, too: of the scheme "localhost".
  if (/^https?:/.test(origin) && URL.canParse(options.apiPath, origin)) {
    return new URL(options.apiPath, origin).href;
  }
  throw new ProxyError(
    `config.js: backends["${name}"] is "${origin}"; write an origin such as "http://127.0.0.1:4020"`,
    BAD_CONFIG,
  );
}
