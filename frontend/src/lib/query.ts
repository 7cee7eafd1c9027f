/** The page's own query is the stream's query: what is asked of the page is passed on, nothing is added or dropped. */

/** Parameters that belong to the page and never reach the server. */
const PAGE_ONLY = new Set(["layer", "scale"]);
/** Any of these says what to stream; without one the page looks for something itself. */
const TARGETS = ["serving", "dataset", "run_id", "dt", "product_type", "symbol", "start_time", "end_time"];

export const SPEEDS = [0.5, 1, 2, 10, 0] as const;

/** Whether the query names a stream. */
export function namesTarget(query: URLSearchParams): boolean {
  return TARGETS.some((key) => query.has(key));
}

/** Parameters for the server. `speed` and `fromBin` override what the page was opened with. */
export function streamQuery(page: URLSearchParams, extra: { speed?: number; fromBin?: number } = {}): URLSearchParams {
  const query = new URLSearchParams();
  for (const [key, value] of page) if (!PAGE_ONLY.has(key)) query.append(key, value);
  if (extra.speed !== undefined) query.set("speed", String(extra.speed));
  if (extra.fromBin !== undefined) query.set("from_bin", String(extra.fromBin));
  return query;
}

/** WebSocket address on the page's own origin. */
export function streamUrl(location: { protocol: string; host: string }, query: URLSearchParams): string {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  const text = query.toString();
  return `${scheme}://${location.host}/v1/vacuum-pressure/stream${text ? `?${text}` : ""}`;
}

/** Speed named by a query; 1 when absent or unusable (the server is the judge of bad ones). */
export function speedOf(query: URLSearchParams): number {
  const text = query.get("speed");
  const value = text === null ? 1 : Number(text);
  return Number.isFinite(value) && value >= 0 ? value : 1;
}

/** Bin that a query opens the stream at, null where it names none (the server is the judge of bad ones). */
export function fromBinOf(query: URLSearchParams): number | null {
  const text = query.get("from_bin") ?? "";
  return /^\d{1,9}$/.test(text) ? Number(text) : null;
}

/** "0.5×", "Max". */
export function speedLabel(speed: number): string {
  return speed === 0 ? "Max" : `${speed}×`;
}
