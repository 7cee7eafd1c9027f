/**
 * Cumulative net pnl over the capture with the band where trades without an edge would lie. uPlot draws it: axes,
 * cursor and resizing of a time series are its trade, at a fifth of what a charting library weighs.
 */

import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { etMinute, etTime, nsToMs } from "../lib/clock";
import { el, setHidden, setText } from "../lib/dom";
import { count, signed } from "../lib/format";
import { INK } from "../view/ink";
import type { RunTrades } from "../wire.generated";

const HEIGHT = 132;
const OUTCOME: Record<RunTrades["outcome"][number], string> = { take_profit: "take profit", stop_loss: "stop", timeout: "timeout" };
type Numbers = (number | null)[];

export interface PnlSeries {
  /** Seconds since 1970, UTC. */
  time: number[];
  pnl: Numbers;
  low: Numbers;
  high: Numbers;
  /** Trades that have ended by each time. */
  ended: number[];
}

/** Trades and band on one time axis; pnl is carried on between exits, the band is interpolated. */
export function pnlSeries(trades: RunTrades): PnlSeries {
  const start = nsToMs(trades.start_ns) / 1000;
  const at = (bin: number): number => start + (bin * trades.bin_ns) / 1e9;
  const band = trades.no_edge;
  const bins = [...new Set([trades.first_bin, ...(band?.bin ?? []), ...trades.exit_bin, trades.n_bins])].sort((a, b) => a - b);
  const series: PnlSeries = { time: [], pnl: [], low: [], high: [], ended: [] };
  let ended = 0;
  let knot = 0;
  for (const bin of bins) {
    while (ended < trades.exit_bin.length && trades.exit_bin[ended] <= bin) ended += 1;
    series.time.push(at(bin));
    series.pnl.push(ended === 0 ? 0 : trades.cumulative_ticks[ended - 1]);
    series.ended.push(ended);
    if (!band) {
      series.low.push(null);
      series.high.push(null);
      continue;
    }
    while (knot < band.bin.length - 2 && band.bin[knot + 1] < bin) knot += 1;
    const share = (bin - band.bin[knot]) / (band.bin[knot + 1] - band.bin[knot]);
    const between = (values: readonly number[]): number => values[knot] + share * (values[knot + 1] - values[knot]);
    series.low.push(between(band.low));
    series.high.push(between(band.high));
  }
  return series;
}

/** Whether the pnl ends outside what no edge would give. */
export function endsOutside({ pnl, low, high }: PnlSeries): boolean | null {
  const [end, least, most] = [pnl.at(-1), low.at(-1), high.at(-1)];
  if (end == null || least == null || most == null) return null;
  return end < least || end > most;
}

export class PnlChart {
  readonly root: HTMLElement;
  readonly #host = el("div", { class: "pnl-plot" });
  readonly #note = el("span", { class: "third" });
  readonly #reading = el("p", { class: "pnl-reading third num" });
  readonly #away = el("p", { class: "second" });
  readonly #onTrade: (bin: number) => void;
  #plot: uPlot | null = null;
  #trades: RunTrades | null = null;
  #series: PnlSeries | null = null;

  /** `onTrade` is called with the firing bin of the trade that was clicked. */
  constructor(onTrade: (bin: number) => void) {
    this.#onTrade = onTrade;
    this.root = el("section", { class: "pnl" }, el("header", {}, el("h2", {}, "Cumulative net pnl"), this.#note), this.#away, this.#host, this.#reading);
    new ResizeObserver(() => this.#resize()).observe(this.#host);
  }

  #resize(): void {
    const width = this.#host.clientWidth;
    if (this.#plot && width > 0 && width !== this.#plot.width) this.#plot.setSize({ width, height: HEIGHT });
  }

  /** Say why there is no chart, or that it is on its way. */
  say(text: string): void {
    this.#plot?.destroy();
    this.#plot = null;
    this.#trades = null;
    setText(this.#note, "");
    setText(this.#away, text);
    setHidden(this.#away, false);
    setHidden(this.#host, true);
    setHidden(this.#reading, true);
  }

  /** Draw again with the colours of the theme on screen. */
  repaint(): void {
    if (this.#trades) this.render(this.#trades);
  }

  render(trades: RunTrades): void {
    this.#plot?.destroy();
    this.#trades = trades;
    const series = pnlSeries(trades);
    this.#series = series;
    setHidden(this.#away, true);
    setHidden(this.#host, false);
    setHidden(this.#reading, false);
    setText(this.#note, trades.no_edge ? "ticks, band = no edge" : "ticks");
    this.#rest();
    const axis = { stroke: () => INK.third, font: "11px Inter, system-ui, sans-serif", ticks: { show: false }, border: { show: false } };
    const grid = { stroke: () => INK.line, width: 1 };
    const stepped = uPlot.paths.stepped?.({ align: 1 });
    const bare = { width: 0, points: { show: false } };
    this.#plot = new uPlot(
      {
        width: Math.max(200, this.#host.clientWidth), height: HEIGHT, padding: [6, 28, 0, 0],
        legend: { show: false },
        cursor: { y: false, points: { size: 7, fill: () => INK.text, width: 0 }, drag: { x: false, y: false } },
        scales: { x: { time: true }, y: { range: (_, low, high) => spread(low, high) } },
        axes: [
          { ...axis, grid: { show: false }, size: 22, gap: 4, space: 72, values: (_, times) => times.map((time) => timeLabel(time, times)) },
          { ...axis, grid, size: 46, gap: 6, space: 26, values: (_, levels) => levels.map((level) => signed(level, Math.abs(levels[1] - levels[0]) < 1 ? 1 : 0)) },
        ],
        series: [
          {},
          { ...bare, label: "high" },
          { ...bare, label: "low" },
          { label: "net", stroke: () => INK.text, width: 1.5, paths: stepped, points: { show: false } },
        ],
        bands: [{ series: [1, 2], fill: () => INK.noEdge }],
        hooks: {
          setCursor: [(plot) => this.#read(plot.cursor.idx ?? null)],
          drawAxes: [(plot) => zeroLine(plot)],
          ready: [(plot) => plot.over.addEventListener("click", () => this.#pick(plot.cursor.idx ?? null))],
        },
      },
      [series.time, series.high, series.low, series.pnl],
      this.#host,
    );
  }

  /** What is said while nothing is pointed at. */
  #rest(): void {
    const outside = this.#series ? endsOutside(this.#series) : null;
    const verdict = outside === null ? "Too short for a band." : outside ? "Ends outside the band: before correction for the number of trials." : "Ends inside the band: chance alone does this.";
    setText(this.#reading, verdict);
  }

  #trade(idx: number | null): number | null {
    const ended = idx === null ? 0 : (this.#series?.ended[idx] ?? 0);
    return ended > 0 ? ended - 1 : null;
  }

  #read(idx: number | null): void {
    const { trades, series } = { trades: this.#trades, series: this.#series };
    if (!trades || !series) return;
    if (idx === null) {
      this.#rest();
      return;
    }
    const trade = this.#trade(idx);
    const of = `${etTime(series.time[idx] * 1000)} ET  ${signed(series.pnl[idx] ?? 0, 1)}`;
    const last = trade === null ? "" : `  ·  trade ${count(trade + 1)} of ${count(trades.exit_bin.length)}: ${trades.direction[trade] > 0 ? "up" : "down"}, ${OUTCOME[trades.outcome[trade]]} ${signed(trades.net_pnl_ticks[trade], 1)}`;
    setText(this.#reading, of + last);
  }

  #pick(idx: number | null): void {
    const trade = this.#trade(idx);
    if (trade !== null && this.#trades) this.#onTrade(this.#trades.fire_bin[trade]);
  }
}

/** "09:45", with seconds where labels stand less than a minute apart. */
function timeLabel(time: number, all: readonly number[]): string {
  return all.length > 1 && all[1] - all[0] < 60 ? etTime(time * 1000) : etMinute(time * 1000);
}

/** Room above and below, zero always in sight. */
function spread(low: number | null, high: number | null): [number, number] {
  const [least, most] = [Math.min(low ?? 0, 0), Math.max(high ?? 0, 0)];
  const room = Math.max(1, 0.06 * (most - least));
  return [least - room, most + room];
}

function zeroLine({ ctx, bbox, valToPos }: uPlot): void {
  const y = Math.round(valToPos(0, "y", true));
  ctx.save();
  ctx.fillStyle = INK.strong;
  ctx.fillRect(bbox.left, y, bbox.width, Math.max(1, Math.round(devicePixelRatio)));
  ctx.restore();
}
