import { useEffect, useRef, useState } from "react";
import { settings } from "../client";
import { useWHIP } from "../hooks/useWHIP";
import { Failure } from "./Failure";

const WORDS = {
  idle: "The camera is off",
  connecting: "Connecting...",
  connected: "On air",
  disconnected: "Interrupted, waiting for the network",
  failed: "Not connected",
  closed: "Stopped",
};

export function Camera() {
  const { start, stop, status, failure, preview } = useWHIP();
  const configured = settings().whip?.whipUrl;
  const [whipUrl, setWhipUrl] = useState(configured ?? "");
  const video = useRef<HTMLVideoElement>(null);
  const asks = configured !== undefined; // else the route is pinned to one endpoint

  useEffect(() => {
    if (video.current) video.current.srcObject = preview;
  }, [preview]);

  return (
    <section aria-labelledby="camera-title">
      <h2 id="camera-title">Camera</h2>
      {asks && (
        <>
          <label htmlFor="whip-url">WHIP endpoint</label>
          <input
            id="whip-url"
            type="url"
            value={whipUrl}
            onChange={(event) => setWhipUrl(event.target.value)}
            placeholder="https://.../whip"
            autoComplete="off"
          />
        </>
      )}
      <video
        ref={video}
        hidden={!preview}
        autoPlay
        muted
        playsInline
        aria-label="What your camera sees"
      />
      <div className="row">
        {preview || status === "connecting" ? (
          <button type="button" className="quiet" onClick={() => void stop()}>
            Stop camera
          </button>
        ) : (
          <button type="button" disabled={asks && !whipUrl} onClick={() => void start(whipUrl)}>
            Start camera
          </button>
        )}
        <p className={`status ${status}`} role="status">
          {WORDS[status]}
        </p>
      </div>
      <Failure failure={failure} />
    </section>
  );
}
