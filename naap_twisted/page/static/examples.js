// What the console's body field starts with.

const CHAT = {
  model: "demo-chat",
  messages: [{ role: "user", content: "Hello, who are you?" }],
};
// As little of an offer as an endpoint reads; a browser's own has a hundred lines.
const OFFER = [
  "v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "t=0 0", "m=audio 9 UDP/TLS/RTP/SAVPF 111",
  "c=IN IP4 0.0.0.0", "a=setup:actpass", "a=mid:0", "a=sendonly", "a=rtpmap:111 opus/48000/2", "",
].join("\n");

const METHODS_WITHOUT_BODY = ["GET", "HEAD"];

export const takesBody = (method) => !METHODS_WITHOUT_BODY.includes(method);

// An example for *route* and *url*; "" where none fits.
export function bodyFor(route, url) {
  const type = route.content_types[0] ?? "";
  if (type === "application/sdp") return OFFER;
  if (type !== "application/json") return "";
  return JSON.stringify(url.includes("chat/completions") ? CHAT : {}, null, 2);
}
