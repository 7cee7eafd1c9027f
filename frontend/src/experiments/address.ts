/** What is looked at stands in the page's address, so that it can be sent, kept and gone back to. */

import { type Filter, NO_FILTER, type Sort, type SortKey } from "../lib/runs";
import type { RunRow } from "../wire.generated";

export const FIRST_SORT: Sort = { key: "net_mean_pnl_ticks", descending: true };
const KEYS: readonly SortKey[] = [
  "signal", "dt", "threshold", "n_signals", "net_mean_pnl_ticks", "timeout_rate", "p_value", "p_holm", "deflated_sharpe",
];
const TEXTS = ["text", "signal", "dataset", "experiment", "barriers"] as const;

export interface View {
  filter: Filter;
  sort: Sort;
  runId: string | null;
  threshold: number | null;
}

/** What an address asks for; what it cannot mean is left at its default. */
export function readView(query: URLSearchParams): View {
  const filter: Filter = { ...NO_FILTER };
  for (const name of TEXTS) filter[name] = query.get(name) ?? "";
  const least = Number(query.get("min_signals") ?? Number.NaN);
  if (Number.isInteger(least) && least >= 0) filter.minSignals = least;
  filter.testDays = query.get("test_days") === "1";
  const verdict = query.get("verdict");
  if (verdict === "significant" || verdict === "not_significant") filter.verdict = verdict;
  const asked = query.get("sort") ?? "";
  const key = KEYS.find((name) => name === asked.replace(/^-/, ""));
  const threshold = Number(query.get("threshold") ?? Number.NaN);
  return {
    filter,
    sort: key ? { key, descending: asked.startsWith("-") } : FIRST_SORT,
    runId: query.get("run_id"),
    threshold: Number.isFinite(threshold) ? threshold : null,
  };
}

/** The query of a view; defaults are left out. */
export function writeView(filter: Filter, sort: Sort, row: Pick<RunRow, "run_id" | "threshold"> | null): string {
  const query = new URLSearchParams();
  for (const name of TEXTS) if (filter[name]) query.set(name, filter[name]);
  if (filter.minSignals !== NO_FILTER.minSignals) query.set("min_signals", String(filter.minSignals));
  if (filter.testDays) query.set("test_days", "1");
  if (filter.verdict !== "all") query.set("verdict", filter.verdict);
  if (sort.key !== FIRST_SORT.key || sort.descending !== FIRST_SORT.descending) query.set("sort", `${sort.descending ? "-" : ""}${sort.key}`);
  if (row) {
    query.set("run_id", row.run_id);
    query.set("threshold", String(row.threshold));
  }
  return query.toString();
}
