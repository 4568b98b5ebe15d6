// The body of a fetched answer, as it comes. A reader instead of "for await" on the stream itself,
// which not every browser has.

// Pieces (Uint8Array) of a ReadableStream; leaving the loop early stops the download too.
export async function* bytesOf(body) {
  const reader = body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    // After an error there is nothing left to stop, and cancel() repeats the error.
    await reader.cancel().catch(() => {});
  }
}

// The same as text; what is no UTF-8 shows as U+FFFD.
export async function* textOf(body) {
  const decoder = new TextDecoder();
  for await (const bytes of bytesOf(body)) yield decoder.decode(bytes, { stream: true });
  const rest = decoder.decode();
  if (rest) yield rest;
}
