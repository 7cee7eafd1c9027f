/** Hit rate by threshold with its 95 % band, against break-even. */

import { el, fitCanvas } from "../lib/dom";
import { fixed, thresholdText } from "../lib/format";
import { interval } from "../lib/runs";
import type { RunRow } from "../wire.generated";
import { INK } from "../view/ink";

type Point = Pick<RunRow, "threshold" | "n_signals" | "tp_rate" | "tp_rate_low" | "tp_rate_high" | "break_even_rate">;

const HEIGHT = 104;
const LEFT = 36;

export class ThresholdCurve {
  readonly root: HTMLElement;
  readonly #canvas = el("canvas", { role: "img", "aria-label": "Hit rate by threshold" });
  readonly #axis = el("div", { class: "curve-axis num" });
  readonly #levels = el("div", { class: "curve-levels num third" });
  readonly #onPick: (threshold: number | null) => void;

  constructor(onPick: (threshold: number | null) => void) {
    this.#onPick = onPick;
    this.root = el("div", { class: "curve" }, el("div", { class: "curve-plot" }, this.#canvas, this.#levels), this.#axis);
  }

  render(points: readonly Point[], chosen: number | null): void {
    const width = this.#canvas.parentElement?.clientWidth ?? 300;
    const ink = fitCanvas(this.#canvas, width, HEIGHT);
    const x = (i: number): number => LEFT + ((i + 0.5) / points.length) * (width - LEFT);
    const spans = points.map((point) => interval(point as RunRow));
    const rates = points.flatMap((point, i) => [point.tp_rate, spans[i].low, spans[i].high, point.break_even_rate]);
    const known = rates.filter((rate): rate is number => rate !== null);
    const low = Math.floor((Math.min(...known, 0.5) - 0.02) * 10) / 10;
    const high = Math.ceil((Math.max(...known, 0.5) + 0.02) * 10) / 10;
    const y = (rate: number): number => 8 + ((high - rate) / (high - low)) * (HEIGHT - 16);
    const step = high - low > 0.5 ? 0.2 : 0.1;
    const levels: HTMLElement[] = [];
    ink.fillStyle = INK.line;
    for (let rate = low; rate <= high + 1e-9; rate += step) {
      ink.fillRect(LEFT, Math.round(y(rate)), width - LEFT, 1);
      const level = el("span", {}, fixed(rate * 100, 0));
      level.style.top = `${y(rate)}px`;
      levels.push(level);
    }
    this.#levels.replaceChildren(...levels);

    const drawn = points.map((point, i) => ({ point, i, span: spans[i] })).filter(({ point }) => point.tp_rate !== null);
    const band = drawn.filter(({ span }) => span.low !== null && span.high !== null);
    ink.beginPath();
    for (const { i, span } of band) ink.lineTo(x(i), y(span.high as number));
    for (const { i, span } of [...band].reverse()) ink.lineTo(x(i), y(span.low as number));
    ink.closePath();
    ink.fillStyle = INK.band;
    ink.fill();
    ink.beginPath();
    for (const { point, i } of drawn) ink.lineTo(x(i), y(point.tp_rate as number));
    ink.strokeStyle = INK.plusText;
    ink.lineWidth = 1.5;
    ink.stroke();
    this.#breakEven(ink, points, width, y);
    for (const { point, i } of drawn) {
      const on = point.threshold === chosen;
      ink.beginPath();
      ink.arc(x(i), y(point.tp_rate as number), on ? 4 : 2.5, 0, 2 * Math.PI);
      ink.fillStyle = on ? INK.text : INK.plusText;
      ink.fill();
    }
    this.#labels(points, chosen, x);
  }

  #breakEven(ink: CanvasRenderingContext2D, points: readonly Point[], width: number, y: (rate: number) => number): void {
    const level = points.find((point) => point.break_even_rate !== null)?.break_even_rate;
    if (level === undefined || level === null) return;
    ink.setLineDash([3, 3]);
    ink.strokeStyle = INK.second;
    ink.lineWidth = 1;
    ink.beginPath();
    ink.moveTo(LEFT, Math.round(y(level)) + 0.5);
    ink.lineTo(width, Math.round(y(level)) + 0.5);
    ink.stroke();
    ink.setLineDash([]);
    const label = el("span", { class: "break-even" }, `break-even ${fixed(level * 100, 1)}`);
    label.style.top = `${y(level) + 9}px`;
    this.#levels.append(label);
  }

  #labels(points: readonly Point[], chosen: number | null, x: (i: number) => number): void {
    const heads = el("span", { class: "curve-head third" }, el("span", {}, "θ"), el("span", {}, "n"));
    const marks = points.map((point, i) => {
      const mark = el(
        "button",
        { type: "button", "aria-pressed": String(point.threshold === chosen), title: "Choose this threshold", onclick: () => this.#onPick(point.threshold) },
        el("span", {}, thresholdText(point.threshold)), el("span", {}, String(point.n_signals)),
      );
      mark.style.left = `${x(i)}px`;
      return mark;
    });
    this.#axis.replaceChildren(heads, ...marks);
  }
}
