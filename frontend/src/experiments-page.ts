/** The experiments page: every run of every sweep, what it is worth after correction, and how to stream it. */

import { readView, writeView } from "./experiments/address";
import { getAllRuns } from "./experiments/api";
import { Banner } from "./experiments/banner";
import { Detail } from "./experiments/detail";
import { Filters } from "./experiments/filters";
import { KeyHelp, listenKeys } from "./experiments/keys";
import { streamHref } from "./experiments/leave";
import { RunLoader } from "./experiments/loader";
import { NO_RUNS, READING, Says, type Saying, emptied, failed } from "./experiments/states";
import { RunTable, spanText } from "./experiments/table";
import { el, setHidden, setText } from "./lib/dom";
import { count } from "./lib/format";
import { type Sort, byVerdict, filterRows, isTestDay, rowKey, sortRows } from "./lib/runs";
import { type Standing, standing } from "./lib/standing";
import { onTheme } from "./lib/theme";
import { paletteButton } from "./view/paletteButton";
import { themeButton } from "./view/themeButton";
import { brandAndTabs } from "./view/topbar";
import type { RunRow } from "./wire.generated";

class ExperimentsPage {
  readonly #filters: Filters;
  readonly #table: RunTable;
  readonly #detail: Detail;
  readonly #loader = new RunLoader(() => this.#showDetail());
  readonly #banner = new Banner();
  readonly #says = new Says();
  readonly #shown = el("span", { class: "second num" });
  readonly #reading = el("span", { class: "third foot-key" });
  readonly #foot: HTMLElement;
  readonly #sweep = el("div", { class: "fact source" }, el("span", { class: "third" }));
  readonly #help = new KeyHelp();
  #rows: RunRow[] = [];
  #visible: RunRow[] = [];
  #total = 0;
  #selected: RunRow | null = null;
  #sort: Sort;
  #loaded = false;

  constructor(root: HTMLElement) {
    const view = readView(new URLSearchParams(window.location.search));
    this.#sort = view.sort;
    this.#filters = new Filters(view.filter, () => this.#render());
    this.#table = new RunTable(
      {
        onSort: (sort) => {
          this.#sort = sort;
          this.#render();
        },
        onSelect: (row) => this.#select(row),
        onHover: (row) => this.#detail.link(row && row.run_id === this.#selected?.run_id ? row.threshold : null),
        onOpen: (row) => this.#open(row),
      },
      (first, last, of) => spanText(this.#shown, first, last, of),
    );
    this.#detail = new Detail({
      onPick: (runId, threshold) => this.#pick(runId, threshold),
      onHover: (threshold) => {
        const runId = this.#selected?.run_id;
        this.#table.link(threshold === null || !runId ? "" : rowKey({ run_id: runId, threshold }));
        this.#detail.link(threshold);
      },
    });
    this.#foot = el("footer", { class: "table-foot" }, this.#shown, this.#reading);
    this.#sweep.append(this.#filters.sweep);
    const left = el("main", { class: "runs-side" }, this.#filters.root, this.#banner.root, this.#table.root, this.#says.root, this.#foot);
    root.replaceChildren(
      el("header", { class: "topbar" }, ...brandAndTabs("experiments"), this.#sweep, paletteButton(), themeButton(), this.#help.button),
      el("div", { class: "columns" }, left, this.#detail.root),
      this.#help.root,
    );
    const table = (): void => this.#table.root.focus();
    const choose = (key: Parameters<Filters["focus"]>[0]) => (): void => this.#filters.focus(key);
    listenKeys(
      {
        next: () => this.#step(1), previous: () => this.#step(-1), higher: () => this.#stepThreshold(1), lower: () => this.#stepThreshold(-1),
        stream: () => this.#selected && this.#open(this.#selected), copy: () => this.#detail.copyYaml(),
        dagster: () => this.#detail.leave("dagster"), mlflow: () => this.#detail.leave("mlflow"), metric: () => this.#detail.toggleMetric(),
        search: () => this.#filters.search.focus(), experiment: choose("experiment"), signal: choose("signal"),
        dataset: choose("dataset"), barriers: choose("barriers"), least: choose(null), verdict: () => this.#filters.nextVerdict(),
        sort: (key) => this.#table.sortByNumber(Number(key)), help: () => this.#help.toggle(),
        clear: () => (this.#help.open ? this.#help.toggle(false) : this.#filters.reset()),
      },
      table,
    );
    window.addEventListener("resize", () => this.#detail.repaint());
    document.fonts.ready.then(() => this.#detail.repaint());
    onTheme(() => this.#detail.repaint());
    // Whoever comes back from a terminal sees what the sweep they ran there has found.
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible" && this.#loaded) void this.#load();
    });
    this.#say(READING);
    setHidden(this.#detail.root, true);
    setHidden(this.#sweep, true);
    void this.#load(view.runId, view.threshold);
  }

  async #load(runId: string | null = null, threshold: number | null = null): Promise<void> {
    try {
      const { rows, total } = await getAllRuns();
      this.#rows = rows;
      this.#total = total;
    } catch (error) {
      if (this.#loaded) return; // what is shown stays true; sweeps are never rewritten
      this.#say(failed(error, window.location.host, () => {
        this.#say(READING);
        void this.#load(runId, threshold);
      }));
      return;
    }
    this.#loaded = true;
    this.#filters.offer(this.#rows);
    this.#render();
    if (this.#selected) return;
    const asked = this.#rows.filter((row) => row.run_id === runId);
    const first = asked.find((row) => row.threshold === threshold) ?? sortRows(asked, this.#sort)[0] ?? this.#visible[0];
    if (!first) return;
    const at = this.#visible.indexOf(first);
    if (at > 0) this.#table.choose(at);
    else this.#select(first);
  }

  #render(): void {
    const { filter } = this.#filters;
    const passing = filterRows(this.#rows, filter);
    this.#visible = sortRows(byVerdict(passing, filter), this.#sort);
    this.#filters.tally(passing);
    this.#table.render(this.#visible, this.#rows, this.#sort);
    const all = this.#banner.render(passing.filter((row) => !isTestDay(row))); // a test day has no say
    this.#renderHead(passing, all);
    const none = this.#visible.length === 0;
    const saying = this.#rows.length === 0 ? NO_RUNS : none ? emptied(this.#rows, filter, (least) => this.#filters.reset(least)) : null;
    this.#say(saying);
    this.#table.mark(this.#selected ? rowKey(this.#selected) : "");
    this.#keepAddress();
  }

  #renderHead(rows: readonly RunRow[], all: Standing): void {
    const [label] = this.#sweep.children;
    const { experiment } = this.#filters.filter;
    const asked = standing(this.#rows.filter((row) => !isTestDay(row) && (!experiment || row.experiment === experiment))); // other filters leave the correction as it is
    setHidden(this.#sweep, this.#rows.length === 0);
    setText(label, asked.sweeps > 1 ? `Corrected each for up to ${count(asked.trials)} trials` : `Sweep of ${count(asked.trials)} trials`);
    const more = this.#total > this.#rows.length ? ` The best ${count(this.#rows.length)} of ${count(this.#total)} rows were read.` : "";
    this.#reading.replaceChildren(
      "Bars: 95 % interval of net pnl, ", el("i", { class: "bar clears" }), " above 0 ", el("b", {}, "before"),
      ` correction (${count(all.clearing)} of ${count(rows.length)}, chance alone ${count(all.clearingByChance)}), `, el("i", { class: "bar" }),
      ` not above 0.${more}`,
    );
    this.#reading.title = this.#reading.textContent ?? ""; // where it is shortened
  }

  #say(saying: Saying | null): void {
    this.#says.show(saying);
    setHidden(this.#table.root, saying !== null);
    setHidden(this.#foot, saying !== null);
    setHidden(this.#filters.root, !this.#loaded || this.#rows.length === 0);
  }

  /** All thresholds of a run, rising. */
  #run(runId: string): RunRow[] {
    return this.#rows.filter((row) => row.run_id === runId).sort((a, b) => a.threshold - b.threshold);
  }

  #showDetail(): void {
    const row = this.#selected;
    if (row) this.#detail.render(row, this.#run(row.run_id), this.#loader.of(row));
  }

  #select(row: RunRow): void {
    this.#selected = row;
    this.#table.mark(rowKey(row));
    this.#loader.want(row);
    this.#showDetail();
    this.#keepAddress();
  }

  #pick(runId: string, threshold: number): void {
    const row = this.#rows.find((other) => other.run_id === runId && other.threshold === threshold);
    if (!row) return;
    const at = this.#visible.indexOf(row);
    if (at >= 0) this.#table.choose(at);
    else this.#select(row); // the filters hide its row, the run is looked at all the same
  }

  #step(by: number): void {
    const at = this.#visible.findIndex((row) => row === this.#selected);
    this.#table.choose(Math.min(this.#visible.length - 1, Math.max(0, at + by)));
  }

  #stepThreshold(by: number): void {
    const chosen = this.#selected;
    if (!chosen) return;
    const thresholds = this.#run(chosen.run_id).map((row) => row.threshold);
    const next = thresholds[thresholds.indexOf(chosen.threshold) + by];
    if (next !== undefined) this.#pick(chosen.run_id, next);
  }

  #open(row: RunRow): void {
    if (row.can_stream) window.location.href = streamHref(row.run_id, row.threshold);
  }

  #keepAddress(): void {
    if (!this.#loaded) return;
    const query = writeView(this.#filters.filter, this.#sort, this.#selected);
    history.replaceState(null, "", query ? `?${query}` : window.location.pathname);
  }
}

const root = document.getElementById("app");
if (root) new ExperimentsPage(root);
