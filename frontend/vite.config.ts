import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const page = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const SERVICE = process.env.VP_SERVICE_URL ?? "http://127.0.0.1:8002";

// Two pages, one bundle each; the service serves dist/ at "/", in development Vite proxies to it.
export default defineConfig({
  base: "./",
  build: {
    target: "es2022",
    rollupOptions: {
      input: {
        "vacuum-pressure": page("./vacuum-pressure.html"),
        experiments: page("./experiments.html"),
      },
    },
  },
  server: {
    host: "127.0.0.1",
    port: 5174,
    strictPort: true,
    open: false,
    proxy: {
      "/v1": { target: SERVICE, ws: true },
      "/health": SERVICE,
      "/ready": SERVICE,
    },
  },
  test: {
    include: ["tests/**/*.test.ts"],
    environment: "node",
  },
});
