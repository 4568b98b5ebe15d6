// The camera, sent over WebRTC: the session by WHIP through the proxy, the pictures past it.

import { setup } from "./console_api.js";
import { copies, parts, refocus } from "./dom.js";
import { CallFailed } from "./failure.js";
import { WhipSession } from "./whip.js";

const POLL_MS = 1000;
const VIDEO = { width: { ideal: 640 }, height: { ideal: 360 } };
const REFUSED = {
  NotAllowedError: ["The browser does not let this page use the camera. Allow it in the site's settings,"
    + " beside the address, and press Start again.", "CAMERA_DENIED"],
  NotFoundError: ["There is no camera on this machine, or it is switched off.", "NO_CAMERA"],
  NotReadableError: ["The camera is in use by another program. Close it and press Start again.", "CAMERA_BUSY"],
};
const NO_DEVICES = "Browsers give a camera to https pages and to this machine's own only:"
  + " open the demo at http://127.0.0.1, not by another name.";

const ui = parts(
  "camera-missing", "camera-view", "camera-install", "camera-copy", "camera-start", "camera-stop",
  "preview", "stage", "state-camera", "state-whip", "state-location", "state-connection",
  "state-frames", "camera-error", "camera-error-message", "camera-error-code", "camera-error-request",
);

let whip = null; // the route: {path, target_url_header, try}
let session = null; // the WhipSession under way
let starting = null; // the AbortController of a start under way
let stream = null;
let polling = null;
let counted = null; // the id under which the endpoint counts our session

function refresh() {
  const busy = starting !== null;
  const running = session !== null;
  ui["camera-start"].textContent = busy ? "Starting..." : "Start";
  ui["camera-start"].disabled = busy || running;
  ui["camera-stop"].disabled = !busy && !running;
  ui.stage.classList.toggle("live", stream !== null);
  refocus(ui["camera-start"], ui["camera-stop"]);
}

function state(name, text, kind = "") {
  const place = ui[`state-${name}`];
  if (place.textContent !== text) place.textContent = text;
  place.dataset.kind = kind;
}

function fail(error) {
  const known = error instanceof CallFailed
    ? error
    : new CallFailed(...(REFUSED[error.name] ?? [error.message, error.name]), null);
  ui["camera-error-message"].textContent = known.message;
  ui["camera-error-code"].textContent = known.code ? `code ${known.code}` : "";
  ui["camera-error-request"].textContent = known.requestId ? `request ${known.requestId}` : "";
  ui["camera-error"].hidden = false;
}

function media() {
  return fetch("/demo/media").then((answer) => (answer.ok ? answer.json() : { media: false }));
}

async function poll() {
  const polled = session;
  try {
    const { sessions } = await media();
    if (polled !== session || !sessions.length) return;
    // The endpoint keeps sessions' URLs to itself: the newest one just after our 201 is ours.
    counted ??= sessions.at(-1).id;
    const own = sessions.find(({ id }) => id === counted);
    if (own) state("frames", own.frames.toLocaleString("en"), own.frames ? "good" : "");
  } catch {
    state("frames", "the demo does not answer", "bad");
  }
}

const KINDS = { connected: "good", failed: "bad", disconnected: "bad" };

function connectionIs(now) {
  state("connection", now, KINDS[now] ?? "");
  if (now === "failed") {
    fail(new CallFailed("The endpoint answered, but no media path to it could be made.", "ICE_FAILED", null));
    stop();
  }
}

async function open() {
  if (!navigator.mediaDevices) throw new CallFailed(NO_DEVICES, "INSECURE_CONTEXT", null);
  state("camera", "asking for permission");
  const taken = await navigator.mediaDevices.getUserMedia({ video: VIDEO, audio: false });
  if (starting.signal.aborted) {
    taken.getTracks().forEach((track) => track.stop());
    throw new DOMException("stopped", "AbortError");
  }
  stream = taken;
  ui.preview.srcObject = stream;
  refresh();
  const { width, height } = stream.getVideoTracks()[0].getSettings();
  state("camera", `on, ${width} \u00d7 ${height}`, "good");
  state("whip", "offer under way");
  const opened = new WhipSession(whip.path, { [whip.target_url_header]: whip.try }, connectionIs);
  session = opened;
  const answer = await opened.start(stream, starting.signal);
  state("whip", `${answer.status} Created`, "good");
  state("location", answer.location ?? "none given");
  counted = null;
  polling = setInterval(poll, POLL_MS);
  await poll();
}

async function start() {
  if (starting || session) return;
  starting = new AbortController();
  const { signal } = starting;
  ui["camera-error"].hidden = true;
  for (const name of ["camera", "whip", "location", "connection", "frames"]) state(name, "\u2013");
  refresh();
  try {
    await open();
  } catch (error) {
    if (!signal.aborted) fail(error);
    starting = null;
    await stop();
  } finally {
    starting = null;
    refresh();
  }
}

async function stop() {
  starting?.abort();
  clearInterval(polling);
  const ended = session;
  session = null;
  stream?.getTracks().forEach((track) => track.stop());
  stream = null;
  ui.preview.srcObject = null;
  refresh();
  state("camera", "off");
  state("connection", ended ? "closed" : "\u2013");
  if (!ended) return state("whip", "\u2013");
  try {
    const status = await ended.stop();
    state("whip", status === null ? "no session" : `ended: DELETE ${status}`);
  } catch {
    state("whip", "the proxy can not be reached", "bad");
  }
}

async function load() {
  if (whip) return;
  const here = await media().catch(() => ({ media: false }));
  if (here.media) {
    const { routes } = await setup();
    whip = routes.find((route) => route.whip && route.target_url_header && route.try) ?? null;
  }
  ui["camera-missing"].hidden = whip !== null;
  ui["camera-view"].hidden = whip === null;
}

// Gives what to do whenever the camera's panel is shown.
export function startCamera() {
  ui["camera-start"].addEventListener("click", start);
  ui["camera-stop"].addEventListener("click", stop);
  copies(ui["camera-copy"], () => ui["camera-install"].textContent, ui["camera-install"]);
  addEventListener("pagehide", () => session && stop());
  refresh();
  return () => load().catch(fail);
}
