/** The table of runs: one row per run and threshold, with its interval against break-even. */

import { el, setText } from "../lib/dom";
import { DASH, count, fixed, signed, thresholdText } from "../lib/format";
import {
  type Sort, type SortKey, VERDICT_TEXT, clears, firstDirection, interval, parameterText, rateScale, rowKey, varyingParameters, verdict,
} from "../lib/runs";
import type { RunRow } from "../wire.generated";

interface Column {
  key: SortKey | null;
  label: string;
  className: string;
  title?: string;
}

const COLUMNS: readonly Column[] = [
  { key: "signal", label: "Signal", className: "signal" },
  { key: null, label: "Parameters", className: "parameters" },
  { key: "threshold", label: "Threshold", className: "end" },
  { key: "n_signals", label: "n", className: "end narrow", title: "Kept trades" },
  { key: "tp_rate", label: "TP rate, %", className: "end", title: "Share of trades that reached take-profit" },
  { key: null, label: "", className: "interval" },
  { key: "net_mean_pnl_ticks", label: "Net, ticks", className: "end", title: "Mean pnl of a trade after fees" },
  { key: "p_value", label: "p", className: "end narrow optional", title: "Stationary block bootstrap, before correction" },
  { key: "p_holm", label: "Holm p", className: "end narrow", title: "After Holm's correction over the sweep" },
  { key: "deflated_sharpe", label: "Defl. SR", className: "end narrow optional", title: "Probability that the Sharpe ratio is more than luck's best" },
  { key: null, label: "Verdict", className: "verdict" },
];

export interface TableHandlers {
  onSort(sort: Sort): void;
  onSelect(row: RunRow): void;
}

export class RunTable {
  readonly root: HTMLElement;
  readonly #handlers: TableHandlers;
  readonly #heads: HTMLElement[];
  readonly #scale = el("div", { class: "rate-scale num" });
  readonly #body = el("tbody");
  #rows: RunRow[] = [];
  #selected = "";

  constructor(handlers: TableHandlers) {
    this.#handlers = handlers;
    this.#heads = COLUMNS.map(({ key, label, className, title }) => {
      const content = key
        ? el("button", { type: "button", title, onclick: () => this.#sortBy(key) }, label)
        : className === "interval" ? this.#scale : el("span", {}, label);
      return el("th", { class: className, scope: "col" }, content);
    });
    const table = el("table", { class: "runs" }, el("thead", {}, el("tr", {}, ...this.#heads)), this.#body);
    this.root = el("div", { class: "table-scroll" }, table);
    this.#body.addEventListener("keydown", (event) => this.#key(event));
  }

  #sort: Sort = { key: "net_mean_pnl_ticks", descending: true };

  #sortBy(key: SortKey): void {
    const same = this.#sort.key === key;
    this.#handlers.onSort({ key, descending: same ? !this.#sort.descending : firstDirection(key) });
  }

  #key(event: KeyboardEvent): void {
    const row = (event.target as Element).closest("tr");
    if (!row) return;
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 15, PageUp: -15 }[event.key];
    if (step !== undefined) {
      const i = Math.min(this.#rows.length - 1, Math.max(0, [...this.#body.children].indexOf(row) + step));
      (this.#body.children[i] as HTMLElement).focus();
      this.#handlers.onSelect(this.#rows[i]);
    } else if (event.key === "Enter" || event.key === " ") row.click();
    else return;
    event.preventDefault();
  }

  /** Show rows in this order; `all` decides which parameters are worth naming and how wide the scale is. */
  render(rows: RunRow[], all: readonly RunRow[], sort: Sort, minSignals: number): void {
    this.#rows = rows;
    this.#sort = sort;
    COLUMNS.forEach(({ key }, i) => {
      const on = key === sort.key;
      this.#heads[i].setAttribute("aria-sort", on ? (sort.descending ? "descending" : "ascending") : "none");
    });
    const scale = rateScale(rows);
    const levels = new Set(rows.map((row) => row.break_even_rate?.toFixed(4)));
    const common = levels.size === 1 ? (rows[0]?.break_even_rate ?? null) : null;
    this.#drawScale(scale, common);
    const varying = varyingParameters(all);
    this.#body.replaceChildren(...rows.map((row) => this.#row(row, scale, varying.get(row.signal), minSignals)));
    this.mark(this.#selected);
  }

  #drawScale({ low, high }: { low: number; high: number }, common: number | null): void {
    const at = (rate: number): string => `${((rate - low) / (high - low)) * 100}%`;
    const marks: HTMLElement[] = [];
    const step = high - low > 0.35 ? 0.2 : 0.1;
    for (let rate = low; rate <= high + 1e-9; rate += step) {
      if (common !== null && Math.abs(rate - common) < step * 0.75) continue;
      const mark = el("span", {}, fixed(rate * 100, 0));
      mark.style.left = at(rate);
      marks.push(mark);
    }
    if (common !== null) {
      const mark = el("b", { title: "Break-even" }, fixed(common * 100, 1));
      mark.style.left = at(common);
      marks.push(mark);
    }
    this.#scale.replaceChildren(...marks);
  }

  #row(row: RunRow, scale: { low: number; high: number }, varying: ReadonlySet<string> | undefined, minSignals: number): HTMLElement {
    const kind = verdict(row, minSignals);
    const text = (value: number | null, digits: number, show = fixed): string => (value === null ? DASH : show(value, digits));
    const cells = [
      row.signal, parameterText(row, varying), thresholdText(row.threshold),
      count(row.n_signals), row.tp_rate === null ? DASH : fixed(row.tp_rate * 100, 1), "", text(row.net_mean_pnl_ticks, 2, signed),
      text(row.p_value, 3), text(row.p_holm, 2), text(row.deflated_sharpe, 2), VERDICT_TEXT[kind],
    ];
    const node = el("tr", { tabindex: 0, "data-key": rowKey(row), onclick: () => this.#handlers.onSelect(row) });
    cells.forEach((cell, i) => {
      const { className } = COLUMNS[i];
      const title = className === "parameters" ? parameterText(row) : undefined;
      if (className === "interval") node.append(el("td", { class: className }, intervalBar(row, scale)));
      else if (className === "verdict") node.append(el("td", { class: className }, el("span", { class: `mark ${kind}` }, cell)));
      else node.append(el("td", { class: className, title }, cell));
    });
    return node;
  }

  /** Mark the row with this key as the chosen one. */
  mark(key: string): void {
    this.#selected = key;
    for (const row of this.#body.children) {
      const on = (row as HTMLElement).dataset.key === key;
      row.setAttribute("aria-selected", String(on));
    }
  }
}

/** Interval of the hit rate as a bar, its middle as a dot, break-even as a line. */
export function intervalBar(row: RunRow, { low, high }: { low: number; high: number }): HTMLElement {
  const at = (rate: number): number => Math.min(100, Math.max(0, ((rate - low) / (high - low)) * 100));
  const root = el("div", { class: `interval-bar ${clears(row) ? "clears" : ""}` });
  if (row.break_even_rate !== null) {
    const line = el("u");
    line.style.left = `${at(row.break_even_rate)}%`;
    root.append(line);
  }
  const span = interval(row);
  if (span.low !== null && span.high !== null && row.tp_rate !== null) {
    const bar = el("i");
    bar.style.left = `${at(span.low)}%`;
    bar.style.width = `${at(span.high) - at(span.low)}%`;
    const dot = el("b");
    dot.style.left = `${at(row.tp_rate)}%`;
    root.append(bar, dot);
    root.title = `${fixed(row.tp_rate * 100, 1)} %, 95 % interval ${fixed(span.low * 100, 1)} to ${fixed(span.high * 100, 1)}`;
  }
  return root;
}

/** Line under the table: what is shown, and how to read it. */
export function footText(node: HTMLElement, shown: number, total: number): void {
  setText(node, shown === total ? `${count(shown)} rows` : `${count(shown)} of ${count(total)} rows`);
}
