import { describe, expect, it } from "vitest";
import { fragmentOf } from "./sdpFragment";

const OFFER = [
  "v=0",
  "m=audio 9 UDP/TLS/RTP/SAVPF 111",
  "a=ice-ufrag:EsAw",
  "a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1",
  "a=mid:0",
  "m=video 9 UDP/TLS/RTP/SAVPF 96",
  "a=ice-ufrag:EsAw",
  "a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1",
  "a=mid:1",
  "",
].join("\r\n");
const HOST = { candidate: "candidate:1 1 udp 2122 192.0.2.1 6000 typ host", sdpMid: "0" };
const CREDENTIALS = "a=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\n";

describe("fragmentOf", () => {
  it("names the section of its candidates", () => {
    expect(fragmentOf(OFFER, [HOST], false)).toBe(
      `${CREDENTIALS}m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=${HOST.candidate}\r\n`,
    );
  });

  it("says when there are no more", () => {
    expect(fragmentOf(OFFER, [], true)).toBe(
      `${CREDENTIALS}m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=end-of-candidates\r\n`,
    );
  });
});
