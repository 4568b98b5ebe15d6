import { settings } from "./client";
import { AIChat } from "./components/AIChat";
import { Camera } from "./components/Camera";
import { Connection } from "./components/Connection";

export function App() {
  return (
    <main>
      <header>
        <h1>Through the proxy</h1>
        <p className="lead">
          This page calls other people&rsquo;s APIs. It holds no key: the proxy adds it on the way.
        </p>
      </header>
      <AIChat />
      {settings().whip && <Camera />}
      <Connection />
    </main>
  );
}
