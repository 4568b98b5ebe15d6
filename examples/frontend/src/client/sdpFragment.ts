/** The media type of a trickle-ICE fragment (RFC 8840). */
export const FRAGMENT_TYPE = "application/trickle-ice-sdpfrag";

const lineOf = (lines: string[], start: string) => lines.find((line) => line.startsWith(start));

/** The SDP's media sections, each the lines from its `m=` on. */
function sectionsOf(sdp: string): string[][] {
  return sdp
    .split(/\r\nm=/)
    .slice(1)
    .map((section) => `m=${section}`.split("\r\n"));
}

/**
 * The body of one PATCH (RFC 9725 section 4.3.2).
 *
 * @param offer the local SDP: it holds the ICE credentials and the sections that `mid` names.
 * @param candidates as the browser found them.
 * @param complete no more will follow.
 */
export function fragmentOf(
  offer: string,
  candidates: Pick<RTCIceCandidate, "candidate" | "sdpMid">[],
  complete: boolean,
): string {
  const all = offer.split("\r\n");
  const lines = ["a=ice-ufrag:", "a=ice-pwd:"].flatMap((start) => lineOf(all, start) ?? []);
  const sections = sectionsOf(offer);
  for (const [index, section] of sections.entries()) {
    const mid = lineOf(section, "a=mid:")?.slice("a=mid:".length);
    const own = candidates.filter(({ sdpMid }) => sdpMid === mid);
    // In a bundle the first section speaks for all of them.
    const ends = complete && index === 0;
    if (mid === undefined || (own.length === 0 && !ends)) continue;
    lines.push(section[0] ?? "", `a=mid:${mid}`);
    lines.push(...own.map(({ candidate }) => `a=${candidate}`));
    if (ends) lines.push("a=end-of-candidates");
  }
  return `${lines.join("\r\n")}\r\n`;
}
