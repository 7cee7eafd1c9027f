/** Rows of the experiments table: which are shown, in what order, and what tells them apart. */

import type { RunRow } from "../wire.generated";
import { signed } from "./format";

export type Verdict = RunRow["verdict"];

export const VERDICT_TEXT: Record<Verdict, string> = {
  significant: "Significant",
  not_significant: "Not significant",
  too_few: "Too few",
};

/** Whether a row is of a day that its experiment only reports on. */
export function isTestDay(row: Pick<RunRow, "day_role">): boolean {
  return row.day_role === "test";
}

/** Whether the interval of the net pnl lies wholly above 0, before any correction. */
export function clears(row: Pick<RunRow, "net_mean_low_ticks">): boolean {
  return row.net_mean_low_ticks !== null && row.net_mean_low_ticks > 0;
}

/** Trades that ended at take-profit or stop-loss: break-even speaks of these alone. */
export function atBarrier(row: Pick<RunRow, "n_up_tp" | "n_up_sl" | "n_down_tp" | "n_down_sl">): number {
  return row.n_up_tp + row.n_up_sl + row.n_down_tp + row.n_down_sl;
}

/** "−0.41 to +1.11"; empty without an interval. */
export function intervalText(row: Pick<RunRow, "net_mean_low_ticks" | "net_mean_high_ticks">): string {
  const { net_mean_low_ticks: low, net_mean_high_ticks: high } = row;
  return low === null || high === null ? "" : `${signed(low, 2)} to ${signed(high, 2)}`;
}

export type SortKey =
  | "signal" | "dt" | "threshold" | "n_signals" | "net_mean_pnl_ticks" | "timeout_rate" | "p_value" | "p_holm" | "deflated_sharpe";

export interface Sort {
  key: SortKey;
  descending: boolean;
}

/** Direction that a column starts with: the interesting end first. */
export function firstDirection(key: SortKey): boolean {
  return !(key === "signal" || key === "p_value" || key === "p_holm" || key === "threshold");
}

/** Sorted copy; rows of test days follow all others, rows without a value stay last among theirs, equal rows keep their order. */
export function sortRows(rows: readonly RunRow[], { key, descending }: Sort): RunRow[] {
  const sign = descending ? -1 : 1;
  return [...rows].sort((a, b) => {
    const apart = Number(isTestDay(a)) - Number(isTestDay(b));
    if (apart !== 0) return apart; // a test day is reported and not ranked with what was chosen on
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
  verdict: "all" | "significant" | "not_significant";
  /** Rows of test days too, which report and have no say in a choice. */
  testDays: boolean;
}

export const NO_FILTER: Filter = { text: "", signal: "", dataset: "", experiment: "", barriers: "", minSignals: 5, verdict: "all", testDays: false };

/** Rows that pass everything but the verdict (whose choices are counted on these). */
export function filterRows(rows: readonly RunRow[], filter: Filter): RunRow[] {
  const words = filter.text.toLowerCase().split(/\s+/).filter(Boolean);
  return rows.filter((row) => {
    if (filter.signal && row.signal !== filter.signal) return false;
    if (filter.dataset && row.dataset_id !== filter.dataset) return false;
    if (filter.experiment && row.experiment !== filter.experiment) return false;
    if (filter.barriers && barrierText(row) !== filter.barriers) return false;
    if (row.n_signals < filter.minSignals) return false;
    if (isTestDay(row) && !filter.testDays) return false;
    const hay = `${row.signal} ${row.run_id} ${row.experiment} ${row.dataset_id} ${parameterText(row)}`.toLowerCase();
    return words.every((word) => hay.includes(word));
  });
}

export function byVerdict(rows: readonly RunRow[], filter: Filter): RunRow[] {
  if (filter.verdict === "all") return [...rows];
  return rows.filter((row) => (row.verdict === "significant") === (filter.verdict === "significant"));
}

/** "tp 8, sl 4". */
export function barrierText(row: Pick<RunRow, "tp_ticks" | "sl_ticks">): string {
  return `tp ${row.tp_ticks}, sl ${row.sl_ticks}`;
}

/** What tells two rows apart. */
export function rowKey(row: Pick<RunRow, "run_id" | "threshold">): string {
  return `${row.run_id} ${row.threshold}`;
}

const SHORT: Record<string, string> = {
  zscore_window_bins: "z", zscore_min_periods: "min", derivative_weights: "w", d1_weight: "d1", d2_weight: "d2", d3_weight: "d3",
  tanh_scale: "tanh", cooldown_bins: "cd", center_exclusion_radius: "excl", spatial_decay_power: "decay", mixed_weight: "mixed",
  enable_weighted_blend: "blend", entry_delay_bins: "delay", max_hold_bins: "hold", fee_ticks: "fee", tp_sl: "tp/sl", lag_bins: "lag",
};

function short(value: unknown): string {
  if (Array.isArray(value)) return value.map(short).join("/");
  if (typeof value === "number") return String(Number(value.toPrecision(4)));
  if (typeof value === "object" && value !== null) return Object.entries(value).map(([key, item]) => `${SHORT[key] ?? key} ${short(item)}`).join(" ");
  return String(value);
}

/** What a run tried: the signal's parameters, and of the evaluation what its rows do not show otherwise. */
function tried(row: RunRow): [string, unknown][] {
  const { cooldown_bins, entry_delay_bins, max_hold_bins, fee_ticks, fill } = row;
  const evaluation = { tp_sl: `${row.tp_ticks}/${row.sl_ticks}`, cooldown_bins, entry_delay_bins, max_hold_bins, fee_ticks, fill };
  return [...Object.entries(row.parameters), ...Object.entries(evaluation)];
}

/** A run in one line: "d1 1 · z 300 · cd 20". `varying` keeps what differs between runs; without it all is named. */
export function parameterText(row: RunRow, varying?: ReadonlySet<string>): string {
  const parts = tried(row).filter(([key]) => !varying || varying.has(key));
  return parts.map(([key, value]) => `${SHORT[key] ?? key} ${short(value)}`).join(" · ") || "defaults";
}

/** What takes more than one value among the runs of a signal. */
export function varyingParameters(rows: readonly RunRow[]): Map<string, Set<string>> {
  const seen = new Map<string, Map<string, Set<string>>>();
  for (const row of rows) {
    const bySignal = seen.get(row.signal) ?? new Map<string, Set<string>>();
    seen.set(row.signal, bySignal);
    for (const [key, value] of tried(row)) bySignal.set(key, (bySignal.get(key) ?? new Set()).add(JSON.stringify(value)));
  }
  const varying = new Map<string, Set<string>>();
  for (const [signal, keys] of seen) {
    varying.set(signal, new Set([...keys].filter(([, values]) => values.size > 1).map(([key]) => key)));
  }
  return varying;
}
