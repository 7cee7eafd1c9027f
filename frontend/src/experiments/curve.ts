/** A run's thresholds side by side: net pnl of a trade against 0, or take-profits among the trades that ended at a
 * barrier against the break-even of those, each with its 95 %. */

import { el, fitCanvas, setText } from "../lib/dom";
import { fixed, signed, thresholdText } from "../lib/format";
import { atBarrier } from "../lib/runs";
import { INK } from "../view/ink";
import type { RunRow } from "../wire.generated";
import { hint } from "./keys";

type Metric = "net" | "rate";

interface Point {
  value: number | null;
  low: number | null;
  high: number | null;
}

interface Measure {
  label: string;
  /** What the points are, told of the chosen row, and at length. */
  note: (row: RunRow | undefined) => string;
  title: string;
  of: (row: RunRow) => Point;
  level: (row: RunRow) => number | null;
  /** Trades that a point speaks of. */
  count: (row: RunRow) => number;
  least: number;
}

const METRICS: Record<Metric, Measure> = {
  net: {
    label: "Net pnl", note: () => "ticks a trade, 95 % band", title: "Net pnl of a trade after fees, with its 95 % interval",
    of: (row) => ({ value: row.net_mean_pnl_ticks, low: row.net_mean_low_ticks, high: row.net_mean_high_ticks }),
    level: () => 0, count: (row) => row.n_signals, least: 1,
  },
  rate: {
    label: "TP rate", note: barrierNote, title: "Take-profits in % of the trades that ended at a barrier, with their 95 % interval and break-even; the other trades timed out",
    of: (row) => ({ value: percent(row.barrier_tp_rate), low: percent(row.barrier_tp_rate_low), high: percent(row.barrier_tp_rate_high) }),
    level: (row) => percent(row.break_even_rate), count: atBarrier, least: 20,
  },
};
const HEIGHT = 104;
const LEFT = 34;
/** Room for the label of a level, and how far its middle is from the line. */
/** Widest digit of the labels under the curve, and what a label has around its text. */
const DIGIT_PX = 6.8;
const LABEL_GAP = 10;
const LABEL_PX = { width: 92, off: 9 };

function percent(rate: number | null): number | null {
  return rate === null ? null : 100 * rate;
}

/** A rate is of the trades that ended at a barrier: what share of all these are. */
export function barrierNote(row: (Parameters<typeof atBarrier>[0] & Pick<RunRow, "n_signals">) | undefined): string {
  return row && row.n_signals > 0 ? `of ${fixed((100 * atBarrier(row)) / row.n_signals, 1)} % of trades` : "";
}

/** Step of 1, 2 or 5 × 10ⁿ that gives about three lines. */
export function levelStep(span: number): number {
  const raw = span / 3.5;
  const scale = 10 ** Math.floor(Math.log10(raw));
  return ([1, 2, 5].find((factor) => factor * scale >= raw) ?? 10) * scale;
}

/** Where the label of a level is furthest from the dots: at either end, under its line or over it. */
export function labelPlace(dots: readonly { x: number; y: number }[], line: number, width: number): { left: boolean; top: number } {
  let best = { left: false, top: line + LABEL_PX.off, clear: -1 };
  for (const left of [false, true]) {
    const [from, to] = left ? [LEFT, LEFT + LABEL_PX.width] : [width - LABEL_PX.width, width];
    const near = dots.filter(({ x }) => x >= from - LABEL_PX.off && x <= to + LABEL_PX.off);
    for (const top of [line + LABEL_PX.off, line - LABEL_PX.off]) {
      if (top < 6 || top > HEIGHT - 6) continue;
      const clear = Math.min(HEIGHT, ...near.map(({ y }) => Math.abs(y - top)));
      if (clear > best.clear) best = { left, top, clear };
    }
  }
  return { left: best.left, top: best.top };
}

/** Which of `n` labels of that width stand under a curve so that none touches the next; the chosen one always does. */
export function labelled(n: number, room: number, width: number, chosen: number): boolean[] {
  const every = Math.max(1, Math.ceil((width * n) / Math.max(1, room)));
  const from = chosen >= 0 ? chosen % every : 0;
  return Array.from({ length: n }, (_, i) => i % every === from);
}

export class ThresholdCurve {
  readonly root: HTMLElement;
  readonly #canvas = el("canvas", { role: "img" });
  readonly #axis = el("div", { class: "curve-axis num" });
  readonly #levels = el("div", { class: "curve-levels num third" });
  readonly #note = el("span", { class: "third curve-note" });
  readonly #tabs: Record<Metric, HTMLButtonElement>;
  readonly #onPick: (threshold: number) => void;
  readonly #onHover: (threshold: number | null) => void;
  #metric: Metric = "net";
  #rows: readonly RunRow[] = [];
  #chosen: number | null = null;
  #linked: number | null = null;

  constructor(onPick: (threshold: number) => void, onHover: (threshold: number | null) => void) {
    this.#onPick = onPick;
    this.#onHover = onHover;
    const tab = (metric: Metric): HTMLButtonElement =>
      el("button", { type: "button", title: hint("metric"), onclick: () => this.#show(metric) }, METRICS[metric].label);
    this.#tabs = { net: tab("net"), rate: tab("rate") };
    const head = el("div", { class: "segments", role: "group", "aria-label": "Curve" }, this.#tabs.net, this.#tabs.rate);
    const plot = el("div", { class: "curve-plot" }, this.#canvas, this.#levels);
    this.root = el("section", {}, el("header", {}, el("h2", {}, "By threshold"), this.#note, head), el("div", { class: "curve" }, plot, this.#axis));
    plot.addEventListener("pointermove", (event) => this.#onHover(this.#thresholdAt(event)));
    plot.addEventListener("pointerleave", () => this.#onHover(null));
    plot.addEventListener("click", (event) => {
      const threshold = this.#thresholdAt(event);
      if (threshold !== null) this.#onPick(threshold);
    });
  }

  /** From net pnl to take-profits and back. */
  toggle(): void {
    this.#show(this.#metric === "rate" ? "net" : "rate");
  }

  #show(metric: Metric): void {
    this.#metric = metric;
    this.#draw();
  }

  #thresholdAt(event: MouseEvent): number | null {
    const width = this.#canvas.clientWidth;
    const at = Math.floor(((event.offsetX - LEFT) / (width - LEFT)) * this.#rows.length);
    return this.#rows[at]?.threshold ?? null;
  }

  render(rows: readonly RunRow[], chosen: number | null): void {
    this.#rows = rows;
    this.#chosen = chosen;
    this.#draw();
  }

  /** Point at a threshold from elsewhere on the page. */
  link(threshold: number | null): void {
    if (threshold === this.#linked) return;
    this.#linked = threshold;
    this.#draw();
  }

  #draw(): void {
    const rows = this.#rows;
    const { label, note, title, of, level, least } = METRICS[this.#metric];
    for (const [name, button] of Object.entries(this.#tabs)) button.setAttribute("aria-pressed", String(name === this.#metric));
    setText(this.#note, note(rows.find(({ threshold }) => threshold === this.#chosen)));
    this.#note.title = title;
    this.#canvas.setAttribute("aria-label", `${label} by threshold`);
    const width = this.#canvas.parentElement?.clientWidth ?? 300;
    const ink = fitCanvas(this.#canvas, width, HEIGHT);
    const points = rows.map(of);
    const line = rows.length > 0 ? level(rows[0]) : null;
    const known = [...points.flatMap(({ value, low, high }) => [value, low, high]), line].filter((v): v is number => v !== null);
    if (known.length === 0) {
      this.#levels.replaceChildren();
      this.#labels();
      return;
    }
    const middle = (Math.min(...known) + Math.max(...known)) / 2;
    const half = Math.max((Math.max(...known) - Math.min(...known)) * 0.55, least / 2);
    const [low, high] = [middle - half, middle + half];
    const x = (i: number): number => LEFT + ((i + 0.5) / rows.length) * (width - LEFT);
    const y = (value: number): number => 6 + ((high - value) / (high - low)) * (HEIGHT - 12);
    this.#grid(ink, width, low, high, y);
    this.#band(ink, points, x, y);
    const dots = points.flatMap(({ value }, i) => (value === null ? [] : [{ x: x(i), y: y(value) }]));
    if (line !== null) this.#rest(ink, line, width, y, dots);
    this.#dots(ink, points, x, y);
    this.#labels();
  }

  #grid(ink: CanvasRenderingContext2D, width: number, low: number, high: number, y: (value: number) => number): void {
    const step = levelStep(high - low);
    const levels: HTMLElement[] = [];
    ink.fillStyle = INK.line;
    for (let i = Math.ceil(low / step); i * step <= high; i += 1) {
      ink.fillRect(LEFT, Math.round(y(i * step)), width - LEFT, 1);
      const digits = step < 1 ? 1 : 0;
      const node = el("span", {}, this.#metric === "net" ? signed(i * step, digits) : fixed(i * step, digits));
      node.style.top = `${y(i * step)}px`;
      levels.push(node);
    }
    this.#levels.replaceChildren(...levels);
  }

  #band(ink: CanvasRenderingContext2D, points: readonly Point[], x: (i: number) => number, y: (value: number) => number): void {
    const sure = points.map((point, i) => ({ ...point, i })).filter(({ low, high }) => low !== null && high !== null);
    ink.beginPath();
    for (const { i, high } of sure) ink.lineTo(x(i), y(high as number));
    for (const { i, low } of [...sure].reverse()) ink.lineTo(x(i), y(low as number));
    ink.closePath();
    ink.fillStyle = INK.band;
    ink.fill();
  }

  #rest(
    ink: CanvasRenderingContext2D, line: number, width: number, y: (value: number) => number, dots: readonly { x: number; y: number }[],
  ): void {
    ink.setLineDash([3, 3]);
    ink.strokeStyle = INK.second;
    ink.lineWidth = 1;
    ink.beginPath();
    ink.moveTo(LEFT, Math.round(y(line)) + 0.5);
    ink.lineTo(width, Math.round(y(line)) + 0.5);
    ink.stroke();
    ink.setLineDash([]);
    const text = this.#metric === "rate" ? `break-even ${fixed(line, 1)}` : "0 after fees";
    const { left, top } = labelPlace(dots, y(line), width);
    const label = el("span", { class: `break-even ${left ? "left" : ""}`, title: "After fees" }, text);
    label.style.top = `${top}px`;
    this.#levels.append(label);
  }

  #dots(ink: CanvasRenderingContext2D, points: readonly Point[], x: (i: number) => number, y: (value: number) => number): void {
    const drawn = points.map(({ value }, i) => ({ value, i })).filter(({ value }) => value !== null);
    ink.beginPath();
    for (const { value, i } of drawn) ink.lineTo(x(i), y(value as number));
    ink.strokeStyle = INK.plusText;
    ink.lineWidth = 1.5;
    ink.stroke();
    for (const { value, i } of drawn) {
      const { threshold } = this.#rows[i];
      const on = threshold === this.#chosen;
      ink.beginPath();
      ink.arc(x(i), y(value as number), on ? 4 : 2.5, 0, 2 * Math.PI);
      ink.fillStyle = on ? INK.text : INK.plusText;
      ink.fill();
      if (threshold !== this.#linked) continue;
      ink.beginPath();
      ink.arc(x(i), y(value as number), 7, 0, 2 * Math.PI);
      ink.strokeStyle = INK.text;
      ink.lineWidth = 1.25;
      ink.stroke();
    }
  }

  #labels(): void {
    const n = this.#rows.length;
    const heads = el("span", { class: "curve-head third" }, el("span", {}, "θ"), el("span", {}, this.#metric === "net" ? "n" : "tp, sl"));
    const { count: trades } = METRICS[this.#metric];
    const texts = this.#rows.map(({ threshold }) => (n > 5 ? String(Number(threshold.toPrecision(3))) : thresholdText(threshold)));
    const longest = Math.max(0, ...texts.map((text, i) => Math.max(text.length, String(trades(this.#rows[i])).length)));
    const room = (this.#canvas.parentElement?.clientWidth ?? 300) - LEFT;
    const shown = labelled(n, room, longest * DIGIT_PX + LABEL_GAP, this.#rows.findIndex(({ threshold }) => threshold === this.#chosen));
    const marks = this.#rows.map((row, i) => {
      const { threshold } = row;
      const mark = el(
        "button",
        {
          type: "button", "aria-pressed": String(threshold === this.#chosen), title: `Choose threshold ${threshold} ([ ])`,
          class: threshold === this.#linked ? "linked" : "", onclick: () => this.#onPick(threshold),
        },
        el("span", {}, texts[i]), el("span", {}, String(trades(row))),
      );
      mark.hidden = !shown[i];
      mark.style.left = `calc(${LEFT}px + (100% - ${LEFT}px) * ${(i + 0.5) / n})`;
      return mark;
    });
    this.#axis.replaceChildren(heads, ...marks);
  }
}
