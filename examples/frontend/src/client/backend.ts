import { settings } from "./settings";

/**
 * The URL of a plugin's route.
 *
 * @param name the plugin, as `config.js` names it under `backends`.
 * @param options.apiPath the route's path, from the root: `/api/v1/assistant/openai-proxy`.
 */
export function getPluginBackendUrl(name: string, options: { apiPath: string }): string {
  const origin = settings().backends?.[name] ?? globalThis.location.origin;
  return new URL(options.apiPath, origin).href;
}
