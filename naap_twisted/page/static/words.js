// The words of a streamed chat answer, shown as they come.

import { eventsOf } from "./sse.js";

// Appends them to *place*; returns only when the upstream said that it was done.
export async function showWords(body, place) {
  for await (const event of eventsOf(body)) {
    if (event === "[DONE]") return;
    const word = JSON.parse(event).choices[0]?.delta?.content;
    if (word) place.append(word);
  }
  throw new Error("ended early");
}
