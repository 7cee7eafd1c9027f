/** Rows of the experiments table: what they are worth, which are shown, in what order. */

import type { RunRow } from "../wire.generated";

export const ALPHA = 0.05;

export type Verdict = "significant" | "not" | "few" | "uncorrected";

/** What a row may be called. Only a p corrected for the number of trials makes it significant. */
export function verdict(row: RunRow, minSignals: number): Verdict {
  if (row.n_signals < minSignals) return "few";
  if (row.p_holm === null) return row.p_value === null ? "few" : "uncorrected";
  return row.p_holm < ALPHA ? "significant" : "not";
}

export const VERDICT_TEXT: Record<Verdict, string> = {
  significant: "Significant",
  not: "Not significant",
  few: "Too few",
  uncorrected: "Not corrected",
};

/** Whether the interval of the hit rate lies wholly above break-even, before any correction. */
export function clears(row: RunRow): boolean {
  const { low } = interval(row);
  return low !== null && row.break_even_rate !== null && low > row.break_even_rate;
}

/** Wilson 95 % interval of the hit rate: the service's, else computed from the row. */
export function interval(row: RunRow): { low: number | null; high: number | null } {
  if (row.tp_rate_low !== null && row.tp_rate_high !== null) return { low: row.tp_rate_low, high: row.tp_rate_high };
  if (row.tp_rate === null || row.n_signals <= 0) return { low: null, high: null };
  const [low, high] = wilson(row.tp_rate, row.n_signals);
  return { low, high };
}

/** Wilson score interval of a rate over n trials. */
export function wilson(rate: number, n: number, z = 1.959964): [number, number] {
  const z2 = (z * z) / n;
  const middle = (rate + z2 / 2) / (1 + z2);
  const half = (z / (1 + z2)) * Math.sqrt((rate * (1 - rate)) / n + z2 / (4 * n));
  return [Math.max(0, middle - half), Math.min(1, middle + half)];
}

export type SortKey =
  | "signal" | "threshold" | "n_signals" | "tp_rate" | "net_mean_pnl_ticks" | "p_value" | "p_holm" | "deflated_sharpe";

export interface Sort {
  key: SortKey;
  descending: boolean;
}

/** Direction that a column starts with: the interesting end first. */
export function firstDirection(key: SortKey): boolean {
  return !(key === "signal" || key === "p_value" || key === "p_holm" || key === "threshold");
}

/** Sorted copy; rows without a value stay last whatever the direction, equal rows keep their order. */
export function sortRows(rows: readonly RunRow[], { key, descending }: Sort): RunRow[] {
  const sign = descending ? -1 : 1;
  return [...rows].sort((a, b) => {
    const x = a[key];
    const y = b[key];
    if (x === null || y === null) return Number(x === null) - Number(y === null);
    if (typeof x === "string" || typeof y === "string") return sign * String(x).localeCompare(String(y));
    return sign * (x - y);
  });
}

export interface Filter {
  text: string;
  signal: string;
  dataset: string;
  experiment: string;
  /** "tp 8, sl 4" or empty. */
  barriers: string;
  minSignals: number;
  verdict: "all" | "significant" | "not";
}

export const NO_FILTER: Filter = { text: "", signal: "", dataset: "", experiment: "", barriers: "", minSignals: 5, verdict: "all" };

/** Rows that pass everything but the verdict (whose choices are counted on these). */
export function filterRows(rows: readonly RunRow[], filter: Filter): RunRow[] {
  const words = filter.text.toLowerCase().split(/\s+/).filter(Boolean);
  return rows.filter((row) => {
    if (filter.signal && row.signal !== filter.signal) return false;
    if (filter.dataset && row.dataset_id !== filter.dataset) return false;
    if (filter.experiment && row.experiment !== filter.experiment) return false;
    if (filter.barriers && barrierText(row) !== filter.barriers) return false;
    if (row.n_signals < filter.minSignals) return false;
    const hay = `${row.signal} ${row.run_id} ${row.experiment} ${row.dataset_id} ${parameterText(row)}`.toLowerCase();
    return words.every((word) => hay.includes(word));
  });
}

export function byVerdict(rows: readonly RunRow[], filter: Filter): RunRow[] {
  if (filter.verdict === "all") return [...rows];
  return rows.filter((row) => (verdict(row, filter.minSignals) === "significant") === (filter.verdict === "significant"));
}

/** "tp 8, sl 4". */
export function barrierText(row: Pick<RunRow, "tp_ticks" | "sl_ticks">): string {
  return `tp ${row.tp_ticks ?? "?"}, sl ${row.sl_ticks ?? "?"}`;
}

/** What tells two rows apart. */
export function rowKey(row: Pick<RunRow, "run_id" | "threshold">): string {
  return `${row.run_id} ${row.threshold}`;
}

const SHORT: Record<string, string> = {
  zscore_window_bins: "z", zscore_min_periods: "min", derivative_weights: "w", d1_weight: "d1", d2_weight: "d2", d3_weight: "d3",
  tanh_scale: "tanh", cooldown_bins: "cd", center_exclusion_radius: "excl", spatial_decay_power: "decay", mixed_weight: "mixed",
  enable_weighted_blend: "blend", tp_ticks: "tp", sl_ticks: "sl",
};

function short(value: unknown): string {
  if (Array.isArray(value)) return value.map(short).join("/");
  if (typeof value === "number") return String(Number(value.toPrecision(4)));
  return String(value);
}

/** Parameters of a run in one line: "d1 1 · z 300 · cd 20". `varying` keeps those that differ between rows. */
export function parameterText(row: RunRow, varying?: ReadonlySet<string>): string {
  const parameters = Object.entries(row.parameters).filter(([key]) => !varying || varying.has(key));
  const parts = parameters.map(([key, value]) => `${SHORT[key] ?? key} ${short(value)}`);
  return [...parts, `cd ${row.cooldown_bins}`].join(" · ");
}

/** Parameters that take more than one value among the runs of a signal. */
export function varyingParameters(rows: readonly RunRow[]): Map<string, Set<string>> {
  const seen = new Map<string, Map<string, Set<string>>>();
  for (const row of rows) {
    const bySignal = seen.get(row.signal) ?? new Map<string, Set<string>>();
    seen.set(row.signal, bySignal);
    for (const [key, value] of Object.entries(row.parameters)) {
      bySignal.set(key, (bySignal.get(key) ?? new Set()).add(JSON.stringify(value)));
    }
  }
  const varying = new Map<string, Set<string>>();
  for (const [signal, keys] of seen) {
    varying.set(signal, new Set([...keys].filter(([, values]) => values.size > 1).map(([key]) => key)));
  }
  return varying;
}

export interface Standing {
  /** Trials that the correction counted: the most of any sweep among the rows. */
  trials: number;
  significant: number;
  corrected: boolean;
  bestHolm: number | null;
  bestDeflated: number | null;
  /** SPA p-value of the sweep; null when the rows are of several. */
  spa: number | null;
}

/** How the whole set stands after correction. */
export function standing(rows: readonly RunRow[]): Standing {
  const known = (values: (number | null)[]): number[] => values.filter((value): value is number => value !== null);
  const holm = known(rows.map((row) => row.p_holm));
  const deflated = known(rows.map((row) => row.deflated_sharpe));
  return {
    trials: Math.max(0, ...rows.map((row) => row.n_trials)),
    significant: holm.filter((p) => p < ALPHA).length,
    corrected: holm.length > 0,
    bestHolm: holm.length > 0 ? Math.min(...holm) : null,
    bestDeflated: deflated.length > 0 ? Math.max(...deflated) : null,
    spa: new Set(rows.map((row) => row.sweep_address)).size === 1 ? (rows[0].spa_p_value ?? null) : null,
  };
}

/** Scale of the interval column: rates that hold every interval, in whole tenths, at least 30 points wide. */
export function rateScale(rows: readonly RunRow[]): { low: number; high: number } {
  let low = 1;
  let high = 0;
  for (const row of rows) {
    const span = interval(row);
    if (span.low !== null) low = Math.min(low, span.low, row.break_even_rate ?? 1);
    if (span.high !== null) high = Math.max(high, span.high, row.break_even_rate ?? 0);
  }
  if (low > high) return { low: 0, high: 1 };
  low = Math.max(0, Math.floor(low * 10) / 10);
  high = Math.min(1, Math.ceil(high * 10) / 10);
  while (high - low < 0.3 - 1e-9) {
    if (low > 0) low = Math.max(0, low - 0.1);
    else high = Math.min(1, high + 0.1);
  }
  return { low, high };
}
