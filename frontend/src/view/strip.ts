/** Under the map, on its time axis: the signal, the state-model score, or traded volume by side. */

import type { BinLog } from "../lib/bins";
import type { Camera } from "../lib/camera";
import { el, fitCanvas, setStyle, setText } from "../lib/dom";
import { count, digitsFor, fixed, signed } from "../lib/format";
import type { StripChoice } from "../lib/prefs";
import type { Model } from "../stream/model";
import { TIME_PX, drawGaps, timeMarks } from "./drawGround";
import { type Cell, drawArrow } from "./drawMarks";
import { INK } from "./ink";
import { LabelLayer } from "./labels";

type Ink = CanvasRenderingContext2D;

const HEIGHT = 68;
const PAD = 14;

export interface StripSource {
  title: string;
  rule: string;
  threshold: number | null;
  /** A spike train and volumes are drawn as one bar per bin, a signal as a filled line. */
  spikes: boolean;
  /** Value of a slot, NaN where there is none. */
  value(bins: BinLog, slot: number): number;
  /** Units are lots, not a score. */
  lots: boolean;
}

/** What a choice shows on this stream; without a signal the choice of it falls back to the state model. */
export function stripSource(model: Model, choice: StripChoice): StripSource | null {
  const { config } = model;
  if (!config) return null;
  if (choice === "delta") {
    return {
      title: "Bought − sold", rule: "lots a bin", threshold: null, spikes: true, lots: true,
      value: (bins, slot) => bins.buyVolume[slot] - bins.sellVolume[slot],
    };
  }
  const signal = choice === "signal" ? config.serving?.signal : null;
  if (!signal) {
    return {
      title: "State-model score", rule: "no threshold", threshold: null, spikes: true, lots: false,
      value: (bins, slot) => (bins.ready[slot] ? bins.score[slot] : Number.NaN),
    };
  }
  return {
    title: `${signal.name} signal`, rule: signal.threshold === null ? "no threshold" : `fires at ±${fixed(signal.threshold, 2)}`,
    threshold: signal.threshold, spikes: signal.name === "derivative", lots: false,
    value: (bins, slot) => bins.signal[slot],
  };
}

/** Ends of the axis of scores: few and round, so that it seldom changes. */
const SCORE_REACHES = [0.1, 0.25, 0.5, 0.75, 1];

/** Half of the value axis: enough for the threshold and what is in view. */
export function stripReach(source: StripSource, bins: BinLog, from: number, to: number): number {
  let most = Math.abs(source.threshold ?? 0) * 1.5;
  for (let seq = Math.max(from, bins.first); seq <= Math.min(to, bins.last); seq += 1) {
    const slot = bins.validSlot(seq);
    if (slot >= 0) most = Math.max(most, Math.abs(source.value(bins, slot)) || 0);
  }
  if (source.lots) return nice(Math.max(1, most));
  if (most === 0) return 1;
  return SCORE_REACHES.find((reach) => reach >= most) ?? nice(most);
}

function nice(x: number): number {
  const scale = 10 ** Math.floor(Math.log10(x));
  return ([1, 2, 5, 10].find((factor) => factor * scale >= x) ?? 10) * scale;
}

type Place = (value: number) => number;

/** One bar per bin, or per pixel where bins share one: then the largest of each sign. */
function drawSpikes(ink: Ink, camera: Camera, bins: BinLog, source: StripSource, y: Place): void {
  const [from, to] = camera.seqSpan;
  const zero = y(0);
  const end = Math.min(to, bins.last);
  const width = Math.max(1, camera.pxPerBin * 0.85);
  const bar = (x: number, value: number): void => {
    if (!(Math.abs(value) > 0.001)) return;
    const strong = source.threshold === null || Math.abs(value) >= source.threshold;
    ink.fillStyle = value > 0 ? (strong ? INK.plus : INK.plusDeep) : strong ? INK.minus : INK.minusDeep;
    ink.fillRect(x, Math.min(zero, y(value)), width, Math.abs(y(value) - zero));
  };
  for (let seq = Math.max(from, bins.first); seq <= end; ) {
    const x = camera.pxPerBin < 1 ? Math.floor(camera.xOf(seq)) : camera.xOf(seq);
    const next = camera.pxPerBin < 1 ? Math.max(seq + 1, Math.ceil(camera.right + (x + 1 - camera.width) / camera.pxPerBin)) : seq + 1;
    let up = 0;
    let down = 0;
    for (; seq < next && seq <= end; seq += 1) {
      const slot = bins.validSlot(seq);
      const value = slot >= 0 ? source.value(bins, slot) : 0;
      if (value > up) up = value;
      else if (value < down) down = value;
    }
    bar(x, up);
    bar(x, down);
  }
}

function drawFilled(ink: Ink, camera: Camera, bins: BinLog, source: StripSource, y: Place): void {
  const [from, to] = camera.seqSpan;
  const zero = y(0);
  const line = new Path2D();
  let open = false;
  const width = Math.max(1, camera.pxPerBin);
  for (let seq = Math.max(from, bins.first); seq <= Math.min(to, bins.last); seq += 1) {
    const slot = bins.validSlot(seq);
    const value = slot >= 0 ? source.value(bins, slot) : Number.NaN;
    if (!Number.isFinite(value)) {
      open = false;
      continue;
    }
    const x = camera.xOf(seq);
    const beyond = source.threshold !== null && Math.abs(value) >= source.threshold;
    ink.fillStyle = value > 0 ? (beyond ? INK.plus : INK.plusDeep) : beyond ? INK.minus : INK.minusDeep;
    ink.globalAlpha = beyond ? 0.9 : 0.5;
    ink.fillRect(x, Math.min(zero, y(value)), width, Math.abs(y(value) - zero));
    if (open) line.lineTo(x + width / 2, y(value));
    else line.moveTo(x + width / 2, y(value));
    open = true;
  }
  ink.globalAlpha = 1;
  ink.strokeStyle = INK.text;
  ink.lineWidth = 1.25;
  ink.stroke(line);
}

export class Strip {
  readonly root: HTMLElement;
  readonly #canvas = el("canvas");
  readonly #labels = new LabelLayer("strip-labels");
  readonly #chip = el("span", { class: "strip-chip num", hidden: true });
  readonly #title = el("b");
  readonly #rule = el("span");

  constructor() {
    const name = el("div", { class: "strip-name" }, this.#title, this.#rule);
    this.root = el("div", { class: "strip" }, this.#canvas, this.#labels.root, name, this.#chip);
  }

  /** `axis` is where the price axis begins. */
  render(camera: Camera, model: Model, choice: StripChoice, width: number, axis: number, cell: Cell | null): void {
    const ink = fitCanvas(this.#canvas, width, HEIGHT);
    this.#labels.begin();
    this.#chip.hidden = true;
    const source = stripSource(model, choice);
    setText(this.#title, source?.title ?? "");
    this.#title.title = source?.title ?? "";
    setText(this.#rule, source?.rule ?? "");
    ink.save();
    ink.beginPath();
    ink.rect(0, 0, camera.width, HEIGHT);
    ink.clip();
    ink.fillStyle = INK.grid;
    for (const { x } of timeMarks(camera, model, TIME_PX)) ink.fillRect(Math.round(x), 0, 1, HEIGHT);
    const { bins } = model;
    if (source && bins && bins.last >= 0) {
      const [from, to] = camera.seqSpan;
      const reach = stripReach(source, bins, from, to);
      const middle = HEIGHT / 2;
      const y: Place = (value) => middle - (value / reach) * (middle - PAD);
      drawGaps(ink, camera, model, null, HEIGHT);
      if (source.spikes) drawSpikes(ink, camera, bins, source, y);
      else drawFilled(ink, camera, bins, source, y);
      this.#rules(ink, camera, model, source, y);
      this.#axis(bins, source, reach, axis + 10, y);
    }
    if (cell) {
      ink.fillStyle = INK.crosshair;
      ink.fillRect(Math.round(camera.xOf(cell.seq + 0.5)), 0, 1, HEIGHT);
    }
    ink.restore();
    this.#labels.end();
  }

  #rules(ink: Ink, camera: Camera, model: Model, source: StripSource, y: Place): void {
    ink.fillStyle = INK.strong;
    ink.fillRect(0, Math.round(y(0)), camera.width, 1);
    if (source.threshold && y(0) - y(source.threshold) >= 3) {
      ink.strokeStyle = INK.third;
      ink.lineWidth = 1;
      ink.setLineDash([3, 3]);
      for (const level of [source.threshold, -source.threshold]) {
        ink.beginPath();
        ink.moveTo(0, Math.round(y(level)) + 0.5);
        ink.lineTo(camera.width, Math.round(y(level)) + 0.5);
        ink.stroke();
      }
      ink.setLineDash([]);
    }
    const [from, to] = camera.seqSpan;
    for (const { seq, direction } of model.firings) {
      if (seq >= from && seq <= to) drawArrow(ink, camera.xOf(seq + 0.5), direction > 0 ? HEIGHT - 9 : 9, direction, 4);
    }
  }

  #axis(bins: BinLog, source: StripSource, reach: number, x: number, y: Place): void {
    const digits = source.lots ? 0 : Math.max(reach < 1 ? digitsFor(reach, 2) : 0, 0);
    const text = (value: number): string => (source.lots ? (value < 0 ? "−" : "+") + count(Math.abs(value)) : signed(value, digits));
    this.#labels.put("0", x, y(0), "price");
    this.#labels.put(text(-reach), x, y(-reach) + 2, "price");
    const slot = bins.validSlot(bins.last);
    const value = slot >= 0 ? source.value(bins, slot) : Number.NaN;
    if (!Number.isFinite(value)) return;
    this.#chip.hidden = false;
    setText(this.#chip, source.lots ? signed(value, 0) : signed(value, 2));
    this.#chip.className = `strip-chip num ${Math.abs(value) < 0.005 ? "" : value > 0 ? "plus-fill" : "minus-fill"}`;
    setStyle(this.#chip, "left", `${x - 6}px`);
    // The chip gives way to the axis labels below it.
    const top = Math.min(HEIGHT - 20, Math.max(2, y(value) - 9));
    setStyle(this.#chip, "top", `${Math.min(top, HEIGHT / 2 - 24)}px`);
  }
}
