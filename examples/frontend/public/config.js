// Where this page finds its proxy. Read at run time, so edit it without a build.
// It is public: no API key belongs here, nor anywhere else in a frontend.
// As it stands it fits `twistd -n naap-proxy --demo`. Every setting: src/client/settings.ts
window.NAAP = {
  backends: {
    "ai-assistant": "http://127.0.0.1:4020",
    "daydream-video": "http://127.0.0.1:4020",
  },
  chat: {
    apiPath: "/api/v1/openai/chat/completions",
    models: ["demo-chat", "demo-slow", "demo-401", "demo-429", "demo-500", "demo-cut"],
  },
  whip: { apiPath: "/api/v1/whip/demo-room" },
};
