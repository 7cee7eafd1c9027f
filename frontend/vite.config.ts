import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, gzipSync } from "node:zlib";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

const page = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const SERVICE = process.env.VP_SERVICE_URL ?? "http://127.0.0.1:8002";

/**
 * What the first paint waits for stands in the page itself: its styles and the choice of theme; its font is asked for
 * at once. Everything else comes after.
 */
const paintedFirst: Plugin = {
  name: "painted-first",
  apply: "build",
  enforce: "post",
  generateBundle(_, bundle) {
    const files = Object.values(bundle);
    const textOf = (name: string): string | undefined => {
      const file = files.find(({ fileName }) => fileName === name);
      return file?.type === "asset" ? String(file.source) : undefined;
    };
    const theme = readFileSync(page("./public/theme.js"), "utf8");
    const font = files.find(({ fileName }) => fileName.includes("inter-latin"))?.fileName;
    for (const file of files) {
      if (file.type !== "asset" || !file.fileName.endsWith(".html")) continue;
      const styled = String(file.source).replace(/<link rel="stylesheet"[^>]* href="\.\/([^"]+)">/g, (link, name: string) => {
        const css = textOf(name);
        return css === undefined ? link : `<style>${css.replaceAll("url(./", "url(./assets/")}</style>`;
      });
      const preload = `<link rel="preload" as="font" type="font/woff2" crossorigin href="./${font}" />`;
      file.source = styled.replace(/<script src="\.\/theme\.js"><\/script>/, () => `<script>${theme}</script>\n    ${preload}`);
    }
    for (const { fileName } of files) if (fileName.endsWith(".css")) delete bundle[fileName];
  },
};

/** Beside each file that shrinks stand its `.br` and `.gz`, which the service sends to whoever accepts them. */
const packed: Plugin = {
  name: "packed",
  apply: "build",
  closeBundle() {
    const dist = page("./dist");
    for (const name of readdirSync(dist, { recursive: true, encoding: "utf8" })) {
      if (!/\.(html|js|css|svg|json)$/.test(name)) continue;
      const file = join(dist, name);
      const text = readFileSync(file);
      for (const [ending, bytes] of [[".br", brotliCompressSync(text)], [".gz", gzipSync(text, { level: 9 })]] as const) {
        if (bytes.length < text.length) writeFileSync(file + ending, bytes);
      }
    }
  },
};

// Two pages, one bundle each; the service serves dist/ at "/", in development Vite proxies to it.
export default defineConfig({
  base: "./",
  plugins: [paintedFirst, packed],
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
