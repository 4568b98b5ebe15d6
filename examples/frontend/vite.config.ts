import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

export default defineConfig({
  plugins: [react()],
  base: "./", // dist/ works below any path
  test: { include: ["src/**/*.test.ts"] },
});
