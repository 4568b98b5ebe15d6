// The console's own API: what the proxy has, and what it would decide.

import { refusalOf } from "./failure.js";

// Values of other headers may be secrets, and no decision depends on them.
const TOLD = ["accept", "accept-language", "content-language", "content-type", "range"];

async function json(path, options) {
  const response = await fetch(path, options);
  if (!response.ok) throw await refusalOf(response);
  return response.json();
}

export const setup = () => json("/console/setup");

// The decision on {route, method, url, origin, headers, credentials}; headers as [[name, value], ...].
export function explain({ headers, ...asked }, signal) {
  const told = headers.map(([name, value]) => [
    name, TOLD.includes(name.toLowerCase()) ? value : "",
  ]);
  return json("/console/explain", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ ...asked, headers: Object.fromEntries(told) }),
    signal,
  });
}
