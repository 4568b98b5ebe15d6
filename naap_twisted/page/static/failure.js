// What an answer that is an error says, for people.

export class CallFailed extends Error {
  constructor(message, code, requestId) {
    super(message);
    this.code = code;
    this.requestId = requestId;
  }
}

// In the proxy's envelope the upstream's words follow its status; often they are JSON again.
function readable(message) {
  const [, opening, quoted] = /^([^{]*)({.*})\s*$/s.exec(message) ?? [];
  try {
    return opening + (JSON.parse(quoted).error.message ?? quoted);
  } catch {
    return message;
  }
}

// {message, code} of an error answer's body; null where it has none.
export function envelopeOf(text) {
  try {
    const { message, code } = JSON.parse(text).error;
    if (typeof message !== "string") return null;
    return { message: readable(message), code: code ?? null };
  } catch {
    return null;
  }
}

// The refusal that *response* is; reads its body.
export async function refusalOf(response) {
  const said = envelopeOf(await response.text().catch(() => ""));
  return new CallFailed(
    said?.message ?? `The proxy answered ${response.status}.`,
    said?.code ?? `HTTP ${response.status}`,
    response.headers.get("X-Request-ID"),
  );
}
