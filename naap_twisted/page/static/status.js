// One line about the service: its name, where it listens, since when, how many routes it has.

import { at } from "./dom.js";

const UNITS = [["d", 86_400], ["h", 3_600], ["min", 60]];

function spoken(seconds) {
  const [unit, length] = UNITS.find(([, size]) => seconds >= size) ?? ["s", 1];
  return `${Math.floor(seconds / length)} ${unit}`;
}

// Shows what /console/setup gave.
export function showStatus({ service, listeners, routes, uptime }) {
  const count = `${routes.length} ${routes.length === 1 ? "route" : "routes"}`;
  const facts = [service, `listens on ${listeners.join(", ")}`, `up ${spoken(uptime)}`, count];
  at("service").textContent = facts.join(" \u00b7 ");
}
