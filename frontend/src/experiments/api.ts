/** What the experiments page asks of the service. Answers carry tags, so asking again for what has not changed is cheap. */

import { get } from "../stream/api";
import type { RunDetail, RunLinks, RunRow, RunTrades, Runs } from "../wire.generated";

const PAGE = 2000;
/** Past this many rows the table is not the tool: `vp sql` is. */
export const MOST_ROWS = 20_000;

const run = (id: string): string => `/v1/experiments/runs/${encodeURIComponent(id)}`;

/** Every threshold row of every run, up to `MOST_ROWS`; `total` counts all there are. */
export async function getAllRuns(): Promise<{ rows: RunRow[]; total: number }> {
  const rows: RunRow[] = [];
  let total = 0;
  let offset: number | null = 0;
  while (offset !== null && rows.length < MOST_ROWS) {
    const query = new URLSearchParams({ sort: "net_mean_pnl_ticks", min_signals: "0", top_n: String(PAGE), offset: String(offset), include_test: "true" });
    const page: Runs = await get<Runs>(`/v1/experiments/runs?${query}`);
    rows.push(...page.runs);
    total = page.total;
    offset = page.next_offset;
  }
  return { rows, total };
}

export const getRun = (id: string): Promise<RunDetail> => get(`${run(id)}/detail`);
export const getLinks = (id: string): Promise<RunLinks> => get(`${run(id)}/links`);
export const getTrades = (id: string, threshold: number): Promise<RunTrades> =>
  get(`${run(id)}/trades?${new URLSearchParams({ threshold: String(threshold) })}`);
