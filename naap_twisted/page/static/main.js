// What is on this page: the demo has the first three panels, the admin port the last two.

import { startTabs } from "./tabs.js";
import { startCamera } from "./camera.js";
import { startChat } from "./chat.js";
import { startConsole } from "./console.js";
import { startGuest } from "./guest.js";
import { startUsage } from "./usage.js";

const START = {
  chat: startChat, guest: startGuest, camera: startCamera, console: startConsole, usage: startUsage,
};
const panels = [...document.querySelectorAll("[data-panel]")];
const shown = Object.fromEntries(
  panels.map((panel) => [panel.dataset.panel, START[panel.dataset.panel](document.body.dataset)]),
);
startTabs(panels, (name) => shown[name]?.());
// Who opens the demo wants to ask; who named a tab is left where that begins.
if (!location.hash) document.getElementById("prompt")?.focus();
