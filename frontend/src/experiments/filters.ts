/** Row of filters above the table; choices come from the rows themselves. */

import { isoDate } from "../lib/clock";
import { el, setHidden, setText } from "../lib/dom";
import { count } from "../lib/format";
import { type Filter, NO_FILTER, barrierText, byVerdict, isTestDay } from "../lib/runs";
import { hint } from "./keys";
import type { RunRow } from "../wire.generated";

const COUNTS = [0, 5, 10, 20, 30, 50, 100, 200, 300];

/** "MNQH6 6 Feb 09:25" from a row's dataset, whose id carries the window. */
export function datasetLabel({ symbol, dt, dataset_id }: Pick<RunRow, "symbol" | "dt" | "dataset_id">): string {
  const start = /_(\d\d)(\d\d)_\d{4}__/.exec(dataset_id);
  const day = isoDate(dt, false).replace(/^\w+ /, "");
  return `${symbol} ${day}${start ? ` ${start[1]}:${start[2]}` : ""}`;
}

type Chooser = "signal" | "dataset" | "barriers" | "experiment";

const CHOOSERS: readonly { key: Chooser; label: string; of: (row: RunRow) => string }[] = [
  { key: "signal", label: "Signal", of: (row) => row.signal },
  { key: "dataset", label: "Dataset", of: (row) => row.dataset_id },
  { key: "barriers", label: "Barriers", of: barrierText },
  { key: "experiment", label: "Sweep", of: (row) => row.experiment },
];

export class Filters {
  readonly root: HTMLElement;
  /** Chooser of the sweep, for the head of the page: corrections belong to a sweep, so it comes before the rest. */
  readonly sweep: HTMLElement;
  readonly search: HTMLInputElement;
  filter: Filter;
  readonly #onChange: () => void;
  readonly #choosers: { key: Chooser; select: HTMLSelectElement; of: (row: RunRow) => string }[];
  readonly #from: HTMLSelectElement;
  readonly #testDays: HTMLInputElement;
  readonly #verdicts: { key: Filter["verdict"]; button: HTMLButtonElement; n: HTMLElement }[];

  constructor(filter: Filter, onChange: () => void) {
    this.filter = { ...filter };
    this.#onChange = onChange;
    this.search = el("input", {
      type: "search", placeholder: "Find a run or signal", "aria-label": "Find a run or signal", title: hint("search", "Words in signal, parameters, run id, experiment"),
      oninput: () => this.#set({ text: this.search.value }),
    });
    this.#choosers = CHOOSERS.map(({ key, label, of }) => {
      const select = el("select", { "aria-label": label, title: hint(key), onchange: () => this.#set({ [key]: select.value }) });
      return { key, select, of };
    });
    this.#from = el("select", { "aria-label": "Least number of trades", title: hint("least"), onchange: () => this.#set({ minSignals: Number(this.#from.value) }) });
    for (const n of COUNTS) this.#from.append(el("option", { value: n }, n === 0 ? "any" : String(n)));
    this.#showFrom();
    this.#testDays = el("input", {
      type: "checkbox", checked: filter.testDays, title: "Rows of test days: they report on a choice and have no say in it",
      onchange: () => this.#set({ testDays: this.#testDays.checked }),
    });
    this.search.value = filter.text;
    this.#verdicts = (["all", "significant", "not_significant"] as const).map((key) => {
      const n = el("span", { class: "third" });
      const label = { all: "All", significant: "Significant ", not_significant: "Not significant " }[key];
      const button = el("button", { type: "button", title: hint("verdict"), onclick: () => this.#set({ verdict: key }) }, label, n);
      return { key, button, n };
    });
    const chooser = (label: string, select: HTMLSelectElement): HTMLElement => el("label", { class: "chooser" }, el("span", {}, label), select);
    const boxes = this.#choosers.map(({ select }, i) => chooser(CHOOSERS[i].label, select));
    this.sweep = boxes[CHOOSERS.findIndex(({ key }) => key === "experiment")];
    this.root = el(
      "div", { class: "filters", role: "search" },
      this.search,
      ...boxes.filter((box) => box !== this.sweep),
      chooser("n from", this.#from), el("label", { class: "chooser" }, el("span", {}, "Test days"), this.#testDays), el("div", { class: "spacer" }),
      el("div", { class: "segments", role: "group", "aria-label": "Verdict" }, ...this.#verdicts.map(({ button }) => button)),
    );
  }

  #label(key: Chooser, name: string, rows: readonly RunRow[]): string {
    const row = key === "dataset" ? rows.find((other) => other.dataset_id === name) : undefined;
    return row ? datasetLabel(row) : name;
  }

  #set(change: Partial<Filter>): void {
    this.filter = { ...this.filter, ...change };
    this.#onChange();
  }

  /** Back to no filter but the sweep and the least number of trades, or another one for it. */
  reset(minSignals = NO_FILTER.minSignals): void {
    this.filter = { ...NO_FILTER, experiment: this.filter.experiment, minSignals };
    this.search.value = "";
    this.#testDays.checked = false;
    for (const { key, select } of this.#choosers) select.value = this.filter[key];
    this.#showFrom();
    this.#onChange();
  }

  /** Put the keyboard on a chooser; null is that of the least number of trades. */
  focus(key: Chooser | null): void {
    (this.#choosers.find((chooser) => chooser.key === key)?.select ?? this.#from).focus();
  }

  /** The verdict after the one that is shown, around. */
  nextVerdict(): void {
    const at = this.#verdicts.findIndex(({ key }) => key === this.filter.verdict);
    this.#set({ verdict: this.#verdicts[(at + 1) % this.#verdicts.length].key });
  }

  #showFrom(): void {
    const { minSignals } = this.filter;
    if (![...this.#from.options].some((option) => option.value === String(minSignals))) {
      this.#from.append(el("option", { value: minSignals }, String(minSignals)));
    }
    this.#from.value = String(minSignals);
  }

  /** Fill the choosers from all rows. */
  offer(rows: readonly RunRow[]): void {
    const box = this.#testDays.parentElement;
    if (box) setHidden(box, !rows.some(isTestDay));
    for (const { key, select, of } of this.#choosers) {
      const names = [...new Set(rows.map(of))].sort();
      const all = el("option", { value: "" }, key === "experiment" ? `All ${names.length} sweeps` : `All ${names.length}`);
      select.replaceChildren(all, ...names.map((name) => el("option", { value: name }, this.#label(key, name, rows))));
      if (names.length === 1) all.textContent = this.#label(key, names[0], rows);
      if (!names.includes(this.filter[key])) this.filter[key] = "";
      select.value = this.filter[key];
      select.disabled = names.length < 2;
      // What cannot be chosen is only worth its place where it says what is shown.
      const chooser = select.parentElement;
      if (chooser) setHidden(chooser, names.length < 2 && key !== "dataset" && key !== "experiment");
    }
  }

  /** Counts of the verdict buttons, from the rows that pass the other filters; those of test days are not counted. */
  tally(rows: readonly RunRow[]): void {
    for (const { key, button, n } of this.#verdicts) {
      button.setAttribute("aria-pressed", String(this.filter.verdict === key));
      setText(n, key === "all" ? "" : count(byVerdict(rows.filter((row) => !isTestDay(row)), { ...this.filter, verdict: key }).length));
    }
  }
}
