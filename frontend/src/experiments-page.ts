/** The experiments page: every run of every sweep, what it is worth after correction, and how to stream it. */

import "./styles/tokens.css";
import "./styles/controls.css";
import "./styles/experiments.css";
import { Detail } from "./experiments/detail";
import { Filters } from "./experiments/filters";
import { RunTable, footText } from "./experiments/table";
import { el, setHidden, setText } from "./lib/dom";
import { DASH, count, fixed } from "./lib/format";
import { NO_FILTER, type Sort, byVerdict, filterRows, rowKey, sortRows, standing } from "./lib/runs";
import { onTheme } from "./lib/theme";
import { ApiError, getRun, getRuns } from "./stream/api";
import { themeButton } from "./view/themeButton";
import { brandAndTabs } from "./view/topbar";
import type { RunDetail, RunRow } from "./wire.generated";

const TOP_N = 3000;
const FOOT = "Break-even = (sl + fees) / (tp + sl). Bars: Wilson 95 %, brighter where they clear it before correction. Net of fees.";

class ExperimentsPage {
  readonly #filters = new Filters(() => this.#render());
  readonly #table = new RunTable({
    onSort: (sort) => {
      this.#sort = sort;
      this.#render();
    },
    onSelect: (row) => void this.#select(row),
  });
  readonly #detail = new Detail((runId, threshold) => {
    const row = this.#rows.find((other) => other.run_id === runId && other.threshold === threshold);
    if (row) void this.#select(row);
  });
  readonly #banner = el("section", { class: "banner", hidden: true });
  readonly #empty = el("div", { class: "empty", hidden: true });
  readonly #shown = el("span", { class: "third num" });
  readonly #sweep = el("div", { class: "fact source" }, el("span", { class: "third" }), el("b"));
  readonly #details = new Map<string, RunDetail>();
  #rows: RunRow[] = [];
  #total = 0;
  #selected: RunRow | null = null;
  #sort: Sort = { key: "net_mean_pnl_ticks", descending: true };

  constructor(root: HTMLElement) {
    const foot = el("footer", { class: "table-foot" }, this.#shown, el("span", { class: "third" }, FOOT));
    const left = el("main", { class: "runs-side" }, this.#filters.root, this.#banner, this.#table.root, this.#empty, foot);
    root.append(
      el("header", { class: "topbar" }, ...brandAndTabs("experiments"), this.#sweep, themeButton()),
      el("div", { class: "columns" }, left, this.#detail.root),
    );
    window.addEventListener("resize", () => this.#showDetail());
    onTheme(() => this.#showDetail());
    void this.#load();
  }

  async #load(): Promise<void> {
    this.#say("Reading the results", []);
    try {
      const { runs, total } = await getRuns(TOP_N);
      this.#rows = runs;
      this.#total = total;
    } catch (error) {
      this.#failed(error);
      return;
    }
    this.#filters.offer(this.#rows);
    const wanted = new URLSearchParams(window.location.search);
    const asked = this.#rows.find((row) => row.run_id === wanted.get("run_id"));
    this.#render();
    const first = asked ?? this.#visible()[0];
    if (first) await this.#select(first);
  }

  #failed(error: unknown): void {
    const retry = { label: "Retry", run: () => void this.#load() };
    if (error instanceof ApiError && error.code === "unreachable") {
      this.#say("No service answers", [`Nothing usable answers at ${window.location.host}. Start the service:`], ["vp-serve"], [retry]);
    } else if (error instanceof ApiError && error.status === 401) {
      this.#say("This service wants a token", ["Open the page with #token=… at the end of its address; the tab keeps it."], [], [retry]);
    } else this.#say("The results cannot be read", [String((error as Error).message)], [], [retry]);
  }

  #visible(): RunRow[] {
    const { filter } = this.#filters;
    return sortRows(byVerdict(filterRows(this.#rows, filter), filter), this.#sort);
  }

  #render(): void {
    const { filter } = this.#filters;
    const rows = this.#visible();
    this.#filters.tally(filterRows(this.#rows, filter));
    this.#table.render(rows, this.#rows, this.#sort, filter.minSignals);
    footText(this.#shown, rows.length, this.#total);
    this.#renderBanner();
    this.#renderSweep(rows);
    setHidden(this.#table.root, rows.length === 0);
    if (this.#rows.length === 0) {
      const lines = ["A run is one signal with its parameters, judged on one dataset. Make some:"];
      this.#say("No run yet", lines, ["vp run sweep_demo", "make demo"]);
    } else if (rows.length === 0) this.#sayFiltered();
    else setHidden(this.#empty, true);
    setHidden(this.#detail.root, rows.length === 0 && this.#selected === null);
  }

  #renderSweep(rows: readonly RunRow[]): void {
    const names = new Set(rows.map((row) => row.experiment));
    const [label, value] = this.#sweep.children;
    const trials = standing(rows).trials;
    setHidden(this.#sweep, rows.length === 0);
    setText(label, names.size === 1 ? `Sweep of ${count(trials)} trials` : `${names.size} sweeps`);
    setText(value, names.size === 1 ? [...names][0] : `up to ${count(trials)} trials each`);
  }

  /** What the whole set is worth comes before any single row. */
  #renderBanner(): void {
    const rows = filterRows(this.#rows, this.#filters.filter);
    const all = standing(rows);
    setHidden(this.#banner, rows.length === 0);
    if (rows.length === 0) return;
    const figure = (label: string, value: number | null): HTMLElement =>
      el("div", { class: "end" }, el("span", { class: "third" }, label), el("b", { class: "num" }, value === null ? DASH : fixed(value, 2)));
    let title = `Nothing survives correction for ${count(all.trials)} ${all.trials === 1 ? "trial" : "trials"}`;
    let text = "The top rows are what chance leaves on top. Read them as noise until they repeat on test days.";
    if (!all.corrected) {
      title = "Not corrected for the number of trials";
      text = `Of ${count(rows.length)} rows about ${count(rows.length * 0.05)} pass p < 0.05 by chance alone.`;
    } else if (all.significant > 0) {
      title = `${count(all.significant)} of ${count(rows.length)} rows survive correction for ${count(all.trials)} trials`;
      text = "They were chosen on these days. What counts is whether they repeat on test days.";
    }
    this.#banner.replaceChildren(
      el("div", {}, el("h2", {}, title), el("p", { class: "second" }, text)),
      el(
        "div", { class: "banner-figures" },
        figure("Best Holm p", all.bestHolm), figure("Best deflated Sharpe", all.bestDeflated),
        all.spa === null ? null : figure("SPA p, whole sweep", all.spa),
      ),
    );
  }

  #sayFiltered(): void {
    const { filter } = this.#filters;
    const most = Math.max(0, ...filterRows(this.#rows, { ...filter, minSignals: 0 }).map((row) => row.n_signals));
    const clear = { label: "Clear filters", run: () => this.#filters.reset() };
    const hidden = `${count(this.#rows.length)} rows are hidden by this filter.`;
    if (filter.minSignals > most && most > 0) {
      const lower = { label: `n from ${most}`, run: () => this.#filters.reset(most) };
      this.#say(`No run has n of ${filter.minSignals} or more`, [hidden, `The largest has n = ${count(most)}.`], [], [clear, lower]);
    } else if (filter.verdict === "significant") {
      this.#say("No run is significant after correction", [hidden], [], [clear]);
    } else if (filterRows(this.#rows, { ...NO_FILTER, minSignals: 0 }).length > 0) {
      this.#say("No run matches", [hidden], [], [clear]);
    }
  }

  #say(title: string, lines: string[], commands: string[] = [], actions: { label: string; run: () => void }[] = []): void {
    setHidden(this.#empty, false);
    setHidden(this.#table.root, true);
    this.#empty.replaceChildren(
      el("h2", {}, title),
      ...lines.map((line) => el("p", { class: "second" }, line)),
      ...commands.map((command) => el("div", { class: "command" }, el("code", {}, command))),
      el(
        "div", { class: "actions" },
        ...actions.map(({ label, run }, i) => el("button", { type: "button", class: i === 0 ? "button primary" : "button", onclick: run }, label)),
      ),
    );
  }

  #showDetail(): void {
    const row = this.#selected;
    this.#detail.render(row, row ? (this.#details.get(row.run_id) ?? null) : null, this.#filters.filter.minSignals);
  }

  async #select(row: RunRow): Promise<void> {
    this.#selected = row;
    this.#table.mark(rowKey(row));
    this.#showDetail();
    if (this.#details.has(row.run_id)) return;
    try {
      this.#details.set(row.run_id, await getRun(row.run_id));
    } catch {
      return; // the row itself stays; the curve is left out
    }
    if (this.#selected.run_id === row.run_id) this.#showDetail();
  }
}

const root = document.getElementById("app");
if (root) new ExperimentsPage(root);
