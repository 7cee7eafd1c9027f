/**
 * The table of runs: one row per run and threshold, with the interval of its net pnl against 0. Rows have one height and only
 * those in sight are in the document. The table is one stop for the keyboard: arrows choose, as in a list.
 */

import { el, setClass, setHidden, setText } from "../lib/dom";
import { DASH, count, fixed, signed, thresholdText } from "../lib/format";
import { type NetScale, netMarks, netScale, place } from "../lib/netScale";
import { type Sort, type SortKey, VERDICT_TEXT, clears, firstDirection, intervalText, isTestDay, parameterText, rowKey, varyingParameters } from "../lib/runs";
import type { RunRow } from "../wire.generated";

interface Column {
  key: SortKey | null;
  label: string;
  className: string;
  title?: string;
}

const COLUMNS: readonly Column[] = [
  { key: "signal", label: "Signal", className: "signal", title: "What is judged" },
  { key: null, label: "Parameters", className: "parameters", title: "What differs among the runs of a signal" },
  { key: "dt", label: "Day", className: "day", title: "Eastern date of the capture" },
  { key: "threshold", label: "Threshold", className: "end threshold", title: "The signal fires at this value or beyond" },
  { key: "n_signals", label: "n", className: "end n", title: "Kept trades" },
  { key: "net_mean_pnl_ticks", label: "Net, ticks", className: "end net", title: "Mean pnl of a trade after fees" },
  { key: null, label: "", className: "interval" },
  { key: "timeout_rate", label: "Timeout, %", className: "end timeout", title: "Share of trades that ended at the time limit, at no barrier" },
  { key: "p_value", label: "p", className: "end p optional", title: "Stationary block bootstrap, before correction" },
  { key: "p_holm", label: "Holm p", className: "end holm", title: "After Holm's correction over the sweep" },
  {
    key: "deflated_sharpe", label: "Defl. SR", className: "end deflated optional",
    title: "Probability that the Sharpe ratio is more than the best of all trials shows by luck",
  },
  { key: null, label: "Verdict", className: "verdict", title: "By the corrected p alone" },
];
const ROW_PX = 26;
const OVERSCAN = 8;

export interface TableHandlers {
  onSort(sort: Sort): void;
  onSelect(row: RunRow): void;
  onHover(row: RunRow | null): void;
  onOpen(row: RunRow): void;
}

const sortHint = (key: SortKey, title = ""): string => `${title}. Sort by it (${SORTED.findIndex((column) => column.key === key) + 1})`;

/** A p-value as it is read: never a bare zero. */
export function pText(value: number | null, digits: number): string {
  if (value === null) return DASH;
  return value > 0 && value < 0.5 * 10 ** -digits ? `<${(10 ** -digits).toFixed(digits).replace(/^0/, "")}` : fixed(value, digits);
}

/** Columns that sort, in the order of their keys 1 to 9. */
const SORTED = COLUMNS.filter(({ key }) => key !== null);

export class RunTable {
  readonly root: HTMLElement;
  readonly #handlers: TableHandlers;
  readonly #table: HTMLTableElement;
  readonly #heads: HTMLElement[];
  readonly #scaleHead = el("div", { class: "net-scale num" });
  readonly #above = el("tr", { class: "spacer", "aria-hidden": "true" });
  readonly #below = el("tr", { class: "spacer", "aria-hidden": "true" });
  readonly #body = el("tbody");
  readonly #shown: (first: number, last: number, of: number) => void;
  #rows: RunRow[] = [];
  #scale: NetScale = { low: -1, high: 1 };
  #varying = new Map<string, Set<string>>();
  #sort: Sort = { key: "net_mean_pnl_ticks", descending: true };
  #selected = "";
  #linked = "";
  #span: [number, number] = [0, -1];

  constructor(handlers: TableHandlers, shown: (first: number, last: number, of: number) => void) {
    this.#handlers = handlers;
    this.#shown = shown;
    this.#heads = COLUMNS.map(({ key, label, className, title }) => {
      const content = key
        ? el("button", { type: "button", title: sortHint(key, title), onclick: () => this.#sortBy(key) }, label)
        : className === "interval" ? this.#scaleHead : el("span", { title }, label);
      return el("th", { class: className, scope: "col" }, content);
    });
    this.#body.append(this.#above, this.#below);
    this.#table = el("table", { class: "runs" }, el("thead", {}, el("tr", {}, ...this.#heads)), this.#body);
    this.root = el(
      "div",
      { class: "table-scroll", tabindex: 0, role: "region", "aria-label": "Runs. Up and down choose a row, Enter streams it.", onscroll: () => this.#draw() },
      this.#table,
    );
    this.root.addEventListener("keydown", (event) => this.#key(event));
    this.#body.addEventListener("click", (event) => {
      const row = this.#at(event);
      if (row) this.#handlers.onSelect(row);
    });
    this.#body.addEventListener("dblclick", (event) => {
      const row = this.#at(event);
      if (row) this.#handlers.onOpen(row);
    });
    this.#body.addEventListener("pointerover", (event) => this.#handlers.onHover(this.#at(event)));
    this.#body.addEventListener("pointerleave", () => this.#handlers.onHover(null));
    new ResizeObserver(() => {
      this.#drawScale();
      this.#draw();
    }).observe(this.root);
  }

  #at(event: Event): RunRow | null {
    const node = (event.target as Element).closest<HTMLElement>("tr[data-at]");
    return node ? (this.#rows[Number(node.dataset.at)] ?? null) : null;
  }

  #sortBy(key: SortKey): void {
    const same = this.#sort.key === key;
    this.#handlers.onSort({ key, descending: same ? !this.#sort.descending : firstDirection(key) });
  }

  #key(event: KeyboardEvent): void {
    const page = Math.max(1, Math.floor(this.#room() / ROW_PX) - 1);
    const last = this.#rows.length - 1;
    const at = this.#rows.findIndex((row) => rowKey(row) === this.#selected);
    const to: Record<string, number> = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + page, PageUp: at - page, Home: 0, End: last };
    if (event.key in to) this.choose(Math.min(last, Math.max(0, to[event.key])));
    else if (event.key === "Enter" && at >= 0) this.#handlers.onOpen(this.#rows[at]);
    else return;
    event.preventDefault();
  }

  #room(): number {
    return this.root.clientHeight - (this.#table.tHead?.offsetHeight ?? 0);
  }

  /** Sort by the column of this number, 1 being the first that sorts. */
  sortByNumber(number: number): void {
    const key = SORTED[number - 1]?.key;
    if (key) this.#sortBy(key);
  }

  /** Choose the row at this position and bring it into sight. */
  choose(at: number): void {
    const row = this.#rows[at];
    if (!row) return;
    const top = at * ROW_PX;
    const scroll = this.root.scrollTop;
    if (top < scroll) this.root.scrollTop = top;
    else if (top + ROW_PX > scroll + this.#room()) this.root.scrollTop = top + ROW_PX - this.#room();
    this.#handlers.onSelect(row);
  }

  /** Show rows in this order; `all` decides which parameters are worth naming. */
  render(rows: RunRow[], all: readonly RunRow[], sort: Sort): void {
    this.#rows = rows;
    this.#sort = sort;
    COLUMNS.forEach(({ key }, i) => {
      this.#heads[i].setAttribute("aria-sort", key !== null && key === sort.key ? (sort.descending ? "descending" : "ascending") : "none");
    });
    setClass(this.#table, "one-day", new Set(all.map((row) => row.dt)).size < 2);
    this.#scale = netScale(rows);
    this.#drawScale();
    this.#varying = varyingParameters(all);
    this.#table.setAttribute("aria-rowcount", String(rows.length + 1));
    this.#span = [0, -1];
    this.#draw();
  }

  #drawScale(): void {
    const mark = (tag: "span" | "b", net: number, text: string, title?: string): HTMLElement => {
      const node = el(tag, { title }, text);
      node.style.left = `${place(net, this.#scale)}%`;
      return node;
    };
    const marks = netMarks(this.#scale, this.#scaleHead.clientWidth || 120);
    const digits = marks.every(Number.isInteger) ? 0 : 1;
    this.#scaleHead.replaceChildren(
      ...marks.map((net) => mark("span", net, signed(net, digits))),
      mark("b", 0, "0", "Net pnl of a trade in ticks, 95 % interval: 0 after fees"),
    );
  }

  /** Rows in sight, drawn again only when others come into it. */
  #draw(): void {
    const n = this.#rows.length;
    const room = this.#room();
    const first = Math.min(Math.floor(this.root.scrollTop / ROW_PX), Math.max(0, n - 1));
    const last = Math.min(n - 1, Math.ceil((this.root.scrollTop + room) / ROW_PX) - 1);
    this.#shown(first, last, n);
    const from = Math.max(0, first - OVERSCAN);
    const to = Math.min(n - 1, last + OVERSCAN);
    if (from >= this.#span[0] && to <= this.#span[1] && this.#span[1] >= 0) return;
    this.#span = [from, to];
    this.#above.style.height = `${from * ROW_PX}px`;
    this.#below.style.height = `${(n - 1 - to) * ROW_PX}px`;
    setHidden(this.#above, from === 0);
    setHidden(this.#below, to >= n - 1);
    const rows = this.#rows.slice(from, to + 1).map((row, i) => this.#row(row, from + i));
    this.#body.replaceChildren(this.#above, ...rows, this.#below);
    this.#mark();
  }

  #row(row: RunRow, at: number): HTMLElement {
    const net = row.net_mean_pnl_ticks;
    const texts: Record<string, string> = {
      signal: row.signal, parameters: parameterText(row, this.#varying.get(row.signal)), day: row.dt.slice(5),
      threshold: thresholdText(row.threshold), n: count(row.n_signals), timeout: row.timeout_rate === null ? DASH : fixed(row.timeout_rate * 100, 1),
      net: net === null ? DASH : signed(net, 2), p: pText(row.p_value, 3), holm: pText(row.p_holm, 2),
      deflated: row.deflated_sharpe === null ? DASH : fixed(row.deflated_sharpe, 2),
    };
    const cells = COLUMNS.map(({ className }) => {
      const name = className.split(" ").find((part) => part !== "end") as string;
      if (name === "interval") return el("td", { class: className }, intervalBar(row, this.#scale));
      if (name === "verdict") return el("td", { class: className }, el("span", { class: `mark ${row.verdict}` }, VERDICT_TEXT[row.verdict]));
      if (name === "parameters" && isTestDay(row)) {
        const tag = el("span", { class: "tag", title: "A test day: it reports on a choice and has no say in it" }, "test day");
        return el("td", { class: className, title: parameterText(row) }, tag, ` ${texts[name]}`);
      }
      return el("td", { class: className, title: name === "parameters" ? parameterText(row) : name === "signal" ? row.signal : undefined }, texts[name]);
    });
    return el("tr", { "data-at": at, "data-key": rowKey(row), "aria-rowindex": at + 2 }, ...cells);
  }

  /** Mark the row with this key as the chosen one. */
  mark(key: string): void {
    this.#selected = key;
    this.#mark();
  }

  /** Point at a row from elsewhere on the page; an empty key points at none. */
  link(key: string): void {
    this.#linked = key;
    this.#mark();
  }

  #mark(): void {
    for (const row of this.#body.querySelectorAll<HTMLElement>("tr[data-key]")) {
      row.setAttribute("aria-selected", String(row.dataset.key === this.#selected));
      setClass(row, "linked", row.dataset.key === this.#linked);
    }
  }
}

/** Interval of the net pnl as a bar, the net pnl as a dot, 0 as a line. */
export function intervalBar(row: RunRow, scale: NetScale): HTMLElement {
  const root = el("div", { class: `interval-bar ${clears(row) ? "clears" : ""}` });
  const { net_mean_pnl_ticks: net, net_mean_low_ticks: low, net_mean_high_ticks: high } = row;
  const line = el("u");
  line.style.left = `${place(0, scale)}%`;
  root.append(line);
  if (low === null || high === null || net === null) return root;
  const left = place(low, scale);
  const bar = el("i");
  bar.style.left = `${left}%`;
  bar.style.width = `${place(high, scale) - left}%`;
  const dot = el("b");
  dot.style.left = `${place(net, scale)}%`;
  root.append(bar, dot);
  const where = clears(row) ? "above 0" : high < 0 ? "below 0" : "contains 0";
  root.title = `${signed(net, 2)} ticks a trade, 95 % interval ${intervalText(row)}: ${where}, before correction`;
  return root;
}

/** "Rows 1–25 of 384". */
export function spanText(node: HTMLElement, first: number, last: number, of: number): void {
  setText(node, of === 0 ? "No rows" : `Rows ${count(first + 1)}–${count(last + 1)} of ${count(of)}`);
}
