/** What the page says where there is no table: reading, nothing there, nothing left by the filters, something wrong. */

import { commandBox, el, setHidden } from "../lib/dom";
import { count } from "../lib/format";
import { type Filter, NO_FILTER, filterRows } from "../lib/runs";
import { ApiError } from "../stream/api";
import type { RunRow } from "../wire.generated";

export interface Saying {
  title: string;
  lines: string[];
  commands?: string[];
  actions?: { label: string; run: () => void }[];
  /** Kept visible for reports of what went wrong. */
  code?: string;
  busy?: boolean;
}

export const READING: Saying = { title: "Reading the results", lines: [], busy: true };

export const NO_RUNS: Saying = {
  title: "No run yet",
  lines: ["A run is one signal with its parameters, judged on one capture. Make the first ones on the synthetic day:"],
  commands: ["vp sample", "vp run sweep_demo"],
  actions: [],
};

export function failed(error: unknown, host: string, retry: () => void): Saying {
  const actions = [{ label: "Retry", run: retry }];
  if (!(error instanceof ApiError)) return { title: "The page failed", lines: [String(error)], actions, code: "page" };
  const code = error.status > 0 ? `${error.code} · ${error.status}` : error.code;
  if (error.code === "unreachable") {
    return { title: "No service answers", lines: [`Nothing usable answers at ${host}. Start the service:`], commands: ["vp-serve"], actions, code };
  }
  if (error.status === 401) {
    return { title: "This service wants a token", lines: ["Open the page with #token=… at the end of its address; the tab keeps it."], actions, code };
  }
  const advice = error.code === "bad_lake" ? ["Run the experiment again, or see what is wrong:"] : [];
  return {
    title: "The results cannot be read", lines: [error.message.charAt(0).toUpperCase() + error.message.slice(1), ...advice],
    commands: error.code === "bad_lake" ? ["vp verify"] : [], actions, code,
  };
}

/** Which filter emptied the table, and the way back. */
export function emptied(rows: readonly RunRow[], filter: Filter, reset: (minSignals?: number) => void): Saying {
  const but = (change: Partial<Filter>): RunRow[] => filterRows(rows, { ...filter, ...change });
  const clear = { label: "Clear filters", run: () => reset() };
  const hidden = rows.length === 1 ? "1 row is hidden by the filters." : `${count(rows.length)} rows are hidden by the filters.`;
  const most = Math.max(0, ...but({ minSignals: 0 }).map((row) => row.n_signals));
  if (filter.minSignals > most && most > 0) {
    return {
      title: `No run has n of ${count(filter.minSignals)} or more`, lines: [hidden, `The largest has n = ${count(most)}.`],
      actions: [clear, { label: `n from ${count(most)}`, run: () => reset(most) }],
    };
  }
  if (filter.verdict === "significant" && filterRows(rows, filter).length > 0) {
    return { title: "No run is significant after correction", lines: [hidden, "That is the usual outcome of an honest search."], actions: [clear] };
  }
  const text = filter.text && but({ text: "" }).length > 0 ? [`Nothing holds “${filter.text}”: signal, parameters, run id and experiment are searched.`] : [];
  return { title: "No run matches", lines: [hidden, ...text], actions: [clear] };
}

export const isFiltered = (filter: Filter): boolean => JSON.stringify(filter) !== JSON.stringify(NO_FILTER);

export class Says {
  readonly root = el("div", { class: "empty", hidden: true });

  show(saying: Saying | null): void {
    setHidden(this.root, saying === null);
    if (!saying) return;
    const { title, lines, commands = [], actions = [], code, busy } = saying;
    this.root.setAttribute("role", code ? "alert" : "status");
    this.root.replaceChildren(
      el("h2", {}, busy ? el("span", { class: "spinner" }) : null, title),
      ...lines.map((line) => el("p", { class: "second" }, line)),
      ...commands.map(commandBox),
      el(
        "div", { class: "actions" },
        ...actions.map(({ label, run }, i) => el("button", { type: "button", class: i === 0 ? "button primary" : "button", onclick: run }, label)),
      ),
      code ? el("code", { class: "third" }, code) : "",
    );
  }
}
