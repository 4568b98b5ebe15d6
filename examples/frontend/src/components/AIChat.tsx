import { useRef, useState } from "react";
import type { FormEvent } from "react";
import { isAbort, settings } from "../client";
import { useAICompletion } from "../hooks/useAICompletion";
import { Failure } from "./Failure";

type Outcome = "" | "Complete" | "Stopped" | "Failed";

export function AIChat() {
  const { complete, stream, stop, loading, failure, text } = useAICompletion();
  const chat = settings().chat ?? {};
  const models = chat.models ?? ["gpt-4"];
  const [prompt, setPrompt] = useState("");
  const [model, setModel] = useState(models[0]);
  const [outcome, setOutcome] = useState<Outcome>("");
  const input = useRef<HTMLInputElement>(null);
  const ready = !loading && prompt.trim() !== "";

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    if (!ready) return;
    setOutcome("");
    try {
      await (chat.stream === false ? complete : stream)(prompt.trim(), model);
      setOutcome("Complete");
    } catch (error) {
      setOutcome(isAbort(error) ? "Stopped" : "Failed"); // the error is in the hook's state
    }
    input.current?.focus(); // the button that had it may be gone
  };

  return (
    <section aria-labelledby="chat-title">
      <h2 id="chat-title">Chat</h2>
      <form onSubmit={(event) => void submit(event)}>
        <label htmlFor="prompt">Your question</label>
        <div className="row">
          <input
            id="prompt"
            ref={input}
            value={prompt}
            onChange={(event) => setPrompt(event.target.value)}
            placeholder="Ask anything..."
            autoComplete="off"
            maxLength={4000}
            readOnly={loading} // "disabled" would throw the keyboard's user out of the field
          />
          <button type="submit" disabled={!ready}>
            {loading ? "Thinking..." : "Ask"}
          </button>
          {loading && (
            <button type="button" className="quiet" onClick={stop}>
              Stop
            </button>
          )}
        </div>
        {models.length > 1 && (
          <div className="field">
            <label htmlFor="model">Model</label>
            <select id="model" value={model} onChange={(event) => setModel(event.target.value)}>
              {models.map((each) => (
                <option key={each}>{each}</option>
              ))}
            </select>
          </div>
        )}
      </form>
      <Failure failure={failure} />
      {/* Busy while it grows: a screen reader waits and then reads all of it once. */}
      <div className="answer" role="log" aria-label="Answer" aria-live="polite" aria-busy={loading}>
        {text}
      </div>
      <p className="note" role="status">
        {loading ? "Thinking..." : outcome}
      </p>
    </section>
  );
}
