/**
 * A stand-in for vp-serve on made-up data: `npm run mock`, then `npm run dev`, or open http://127.0.0.1:8002 after a
 * build. Understands pause, resume, speed and seek, and `mock=` in the query forces states:
 * gap (drops bins), invalid (book goes bad), end (short capture), refuse, nodata. Flags: --port N, --warm N.
 */

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { WebSocketServer } from "ws";
import { BIN_MS, FIELD_NAMES, HORIZONS_MS, Market, N_BINS, ROWS, START_NS, TICK_INT, encode } from "./market.mjs";
import { DATASET, datasets, detail, runs, serving } from "./runs.mjs";

const { values: flags } = parseArgs({
  options: { port: { type: "string", default: "8002" }, warm: { type: "string", default: "0" } },
});
const DIST = fileURLToPath(new URL("../../dist/", import.meta.url));
const MIME = {
  ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".woff2": "font/woff2",
};

function json(response, status, body) {
  response.writeHead(status, { "content-type": status < 400 ? "application/json" : "application/problem+json" });
  response.end(JSON.stringify(body));
}

const http = createServer(async (request, response) => {
  const url = new URL(request.url, "http://mock");
  const path = url.pathname;
  if (path === "/v1/datasets") return json(response, 200, datasets());
  if (path === "/v1/serving") return json(response, 200, serving());
  if (path === "/v1/experiments/runs") return json(response, 200, runs());
  const run = /^\/v1\/experiments\/runs\/([0-9a-f]+)\/detail$/.exec(path);
  if (run) return json(response, 200, detail(run[1]));
  if (path.startsWith("/v1/")) return json(response, 404, { title: "Not Found", status: 404, detail: path, code: "not_found" });
  const file = join(DIST, normalize(path === "/" ? "/vacuum-pressure.html" : path));
  try {
    const body = await readFile(file);
    response.writeHead(200, { "content-type": MIME[extname(file)] ?? "application/octet-stream" });
    response.end(body);
  } catch {
    response.writeHead(404).end("not found; run npm run build first");
  }
});

function runtimeConfig(speed, fromBin) {
  const parameters = { zscore_window_bins: 240, zscore_min_periods: 60, tanh_scale: 3, d1_weight: 1 };
  return {
    type: "runtime_config", product_type: "future_mbo", symbol: "MNQH6", symbol_root: "MNQ", tick_size: 0.25,
    contract_multiplier: 2, tick_int: TICK_INT.toString(), price_decimals: 2, cell_width_ms: BIN_MS,
    grid_radius_ticks: (ROWS - 1) / 2, zscore_min_periods: 75, projection_horizons_bins: [1, 2, 3, 4],
    projection_horizons_ms: HORIZONS_MS, config_version: "0123456789ab",
    capture: {
      dt: "2026-02-06", start_time: "09:25", end_time: "10:25", n_bins: N_BINS, start_ns: START_NS.toString(),
      end_ns: (START_NS + BigInt(N_BINS) * 100_000_000n).toString(),
    },
    speed, from_bin: fromBin, source: "dataset", dataset_id: DATASET, addresses: { dataset: "ab".repeat(32), book: null, raw: [] },
    stream_format: "dense_grid", grid_schema_fields: FIELD_NAMES, grid_rows: ROWS, state_model: { name: "derivative", ...parameters },
    projection_model: { source: "backend", horizons_bins: [1, 2, 3, 4], horizons_ms: HORIZONS_MS },
    serving: {
      name: "sweep_ads_promoted_7c41e09a", description: "", pipeline: "mnq_60m_baseline", run_id: null,
      signal: { name: "ads", params: {}, threshold: 0.2, cooldown_bins: 20 },
      promoted: { run_id: "7c41e09a3b5d2f18", figures: { p_value: 0.046, p_holm: 1, n_trials: 384 } },
    },
    warmup: { state_model: { needed: 60 }, flow_score: { needed: 75 }, signal: { needed: 300 } },
  };
}

const sockets = new WebSocketServer({
  noServer: true,
  handleProtocols: (protocols) => (protocols.has("vp.v1") ? "vp.v1" : false),
});
http.on("upgrade", (request, socket, head) => {
  sockets.handleUpgrade(request, socket, head, (ws) => stream(ws, new URL(request.url, "http://mock").searchParams));
});

function stream(ws, query) {
  const mode = query.get("mock") ?? "";
  const send = (message) => ws.send(JSON.stringify(message));
  const refuse = (code, message, parameter = null) => {
    send({ type: "error", code, message, parameter });
    ws.close(1008, code);
  };
  if (mode === "refuse") return refuse("bad_value", "`speed` must be a number of at least 0, was 'fast'", "speed");
  if (mode === "nodata") return refuse("not_found", "the lake has no raw file for MNQH6 on 2026-02-09; import or download that day");
  let speed = Number(query.get("speed") ?? 1);
  let paused = false;
  let dropped = 0;
  let timer = null;
  let market = new Market();
  const skipTo = (seq) => {
    market = new Market();
    while (market.seq < seq) market.next();
  };
  const fromBin = Number(query.get("from_bin") ?? 0);
  skipTo(fromBin);
  send(runtimeConfig(speed, fromBin));
  let total = 0;
  const last = mode === "end" ? 700 : N_BINS;
  const one = () => {
    const { update, columns } = market.next();
    if (mode === "gap" && update.bin_seq % 400 >= 380 && update.bin_seq % 400 < 392) {
      dropped += 1;
      return;
    }
    if (mode === "invalid" && update.bin_seq % 300 > 260) {
      Object.assign(update, {
        book_valid: false, mid_price: 0, spot_ref_price_int: "0", best_bid_price_int: "0", best_ask_price_int: "0",
      });
    }
    send({ type: "grid_update", ...update, dropped });
    dropped = 0;
    ws.send(encode(columns));
    total += 1;
  };
  const warm = Number(flags.warm);
  for (let i = 0; i < warm && market.seq < last; i += 1) one();
  const pump = () => {
    if (ws.readyState !== ws.OPEN) return;
    const burst = speed === 0 ? 40 : 1;
    if (!paused && ws.bufferedAmount < 4e6) for (let i = 0; i < burst && market.seq < last; i += 1) one();
    if (market.seq >= last) {
      send({ type: "end", reason: "complete", bins: total, dropped: mode === "gap" ? 12 : 0 });
      ws.close(1000);
      return;
    }
    timer = setTimeout(pump, speed === 0 ? 1 : BIN_MS / speed);
  };
  pump();
  ws.on("close", () => clearTimeout(timer));
  ws.on("message", (data) => {
    const message = JSON.parse(String(data));
    if (message.type === "pause") paused = true;
    else if (message.type === "resume") paused = false;
    else if (message.type === "speed") speed = message.value;
    else if (message.type === "seek") skipTo(Number((BigInt(message.ts_ns) - START_NS) / 100_000_000n));
    else send({ type: "error", code: "bad_message", message: `unknown message ${message.type}`, parameter: null });
  });
}

http.listen(Number(flags.port), "127.0.0.1", () => console.log(`mock service on http://127.0.0.1:${flags.port}`));
