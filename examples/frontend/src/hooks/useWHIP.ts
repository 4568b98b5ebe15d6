import { useCallback, useEffect, useRef, useState } from "react";
import { getPluginBackendUrl, ProxyError, settings, WhipClient } from "../client";
import type { WhipStatus } from "../client";

export interface Whip {
  /** Show the camera and publish it; `whipUrl` as for `X-WHIP-URL`. Never rejects: see `error`. */
  start: (whipUrl?: string) => Promise<void>;
  /** End the session and switch the camera off. */
  stop: () => Promise<void>;
  status: WhipStatus;
  error: string | null;
  failure: ProxyError | null;
  /** The camera's picture, for a `<video>`'s `srcObject`. */
  preview: MediaStream | null;
}

const CAMERA: Record<string, string> = {
  NotAllowedError: "The camera is not allowed: see the page's permissions",
  NotFoundError: "There is no camera, or no microphone",
  NotReadableError: "The camera is in use by another program",
};

function failureFrom(error: unknown): ProxyError {
  if (error instanceof ProxyError) return error;
  const { name, message } = error instanceof Error ? error : new Error(String(error));
  return new ProxyError(CAMERA[name] ?? message, name);
}

function release(stream: MediaStream | null): void {
  for (const track of stream?.getTracks() ?? []) track.stop();
}

export function useWHIP(): Whip {
  const [status, setStatus] = useState<WhipStatus>("idle");
  const [failure, setFailure] = useState<ProxyError | null>(null);
  const [preview, setPreview] = useState<MediaStream | null>(null);
  const client = useRef<WhipClient | null>(null);
  const camera = useRef<MediaStream | null>(null);

  const stop = useCallback(async () => {
    const ending = client.current;
    client.current = null;
    release(camera.current);
    camera.current = null;
    setPreview(null);
    try {
      await ending?.close();
    } catch (error) {
      setFailure(failureFrom(error));
    }
  }, []);

  const start = useCallback(
    async (whipUrl?: string) => {
      await stop();
      const whip = settings().whip ?? {};
      let url: string;
      try {
        url = getPluginBackendUrl("daydream-video", {
          apiPath: whip.apiPath ?? "/api/v1/daydream/whip-proxy",
        });
      } catch (error) {
        setStatus("failed");
        return setFailure(failureFrom(error));
      }
      const own = new WhipClient({
        url,
        whipUrl: whipUrl || whip.whipUrl,
        trickle: whip.trickle ?? false,
        iceServers: whip.iceServers ?? [],
        onStatus: setStatus,
        onFailure: (error) => {
          if (client.current !== own) return;
          void stop();
          setFailure(error);
        },
      });
      client.current = own;
      setFailure(null);
      setStatus("connecting");
      try {
        const stream = await navigator.mediaDevices.getUserMedia({ video: true, audio: true });
        if (client.current !== own) return release(stream); // stopped while the user was asked
        camera.current = stream;
        setPreview(stream);
        await own.publish(stream);
      } catch (error) {
        if (client.current !== own) return;
        await stop();
        setStatus("failed");
        setFailure(failureFrom(error));
      }
    },
    [stop],
  );

  useEffect(() => {
    const leave = () => void stop(); // a page that goes away unmounts nothing
    window.addEventListener("pagehide", leave);
    return () => {
      window.removeEventListener("pagehide", leave);
      leave();
    };
  }, [stop]);
  return { start, stop, status, error: failure?.message ?? null, failure, preview };
}
