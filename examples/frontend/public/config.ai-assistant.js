// The same page before examples/ai_assistant: copy this over config.js.
window.NAAP = {
  backends: { "ai-assistant": "http://127.0.0.1:4020" },
  chat: {
    apiPath: "/api/v1/assistant/openai-proxy",
    targetUrl: "https://api.openai.com/v1/chat/completions",
    models: ["gpt-4"],
  },
};
