/** Trace of the promoted signal, or of the state-model score, under the map and on its time axis. */

import type { Camera } from "../lib/camera";
import { setStyle, setText } from "../lib/dom";
import { digitsFor, signed } from "../lib/format";
import type { Model } from "../stream/model";
import { drawArrow, timeMarks } from "./drawHistory";
import { COLUMNS, INK, hatch } from "./ink";
import type { LabelLayer } from "./labels";

type Ink = CanvasRenderingContext2D;

const PAD = 14;

export interface StripSource {
  name: string;
  threshold: number | null;
  values: Float32Array;
  /** A spike train is drawn as one bar per bin, a signal as a filled line. */
  spikes: boolean;
}

/** The promoted signal when there is one, else the state model. */
export function stripSource(model: Model): StripSource | null {
  const { ring, config } = model;
  if (!ring || !config) return null;
  const signal = config.serving?.signal;
  const spikes = !signal || signal.name === "derivative";
  if (!signal) return { name: "state model", threshold: null, values: ring.score, spikes };
  return { name: signal.name, threshold: signal.threshold, values: ring.signal, spikes };
}

/** Half of the value axis: 1 for scores, else enough for the threshold and what is in view. */
export function stripReach(source: StripSource, model: Model, from: number, to: number): number {
  const ring = model.ring;
  if (!ring) return 1;
  let most = Math.abs(source.threshold ?? 0) * 1.5;
  for (let seq = Math.max(from, ring.first); seq <= Math.min(to, ring.last); seq += 1) {
    const slot = ring.slotOf(seq);
    if (slot >= 0 && ring.valid[slot]) most = Math.max(most, Math.abs(source.values[slot]) || 0);
  }
  if (most <= 1) return most > 0.25 || most === 0 ? 1 : nice(most);
  return nice(most);
}

function nice(x: number): number {
  const scale = 10 ** Math.floor(Math.log10(x));
  return ([1, 2, 5, 10].find((factor) => factor * scale >= x) ?? 10) * scale;
}

/** Draws the strip; `height` is its own. Returns the latest value, NaN where there is none. */
export function drawStrip(
  ink: Ink, camera: Camera, model: Model, height: number, labels: LabelLayer, chip: HTMLElement,
): void {
  const source = stripSource(model);
  const ring = model.ring;
  const middle = height / 2;
  ink.fillStyle = INK.grid;
  for (const { x } of timeMarks(camera, model, 90)) ink.fillRect(Math.round(x), 0, 1, height);
  chip.hidden = true;
  if (!source || !ring || ring.last < 0) return;
  const [from, to] = camera.seqSpan;
  const reach = stripReach(source, model, from, to);
  const y = (value: number): number => middle - (value / reach) * (middle - PAD);

  for (const gap of ring.gaps(from, to)) {
    const colour = gap.kind === "missing" ? INK.warn : INK.error;
    if (gap.kind === "missing" && model.droppedIn(gap.from, gap.to) === 0) continue;
    const x = Math.round(camera.xOf(gap.from));
    ink.fillStyle = hatch(ink, colour);
    ink.fillRect(x, 0, Math.max(3, Math.round(camera.xOf(gap.to + 1)) - x), height);
  }
  if (source.spikes) drawSpikes(ink, camera, model, source, y);
  else drawFilled(ink, camera, model, source, y);

  ink.fillStyle = INK.strong;
  ink.fillRect(0, Math.round(middle), camera.width, 1);
  if (source.threshold && middle - y(source.threshold) >= 3) {
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
  for (const firing of model.firings) {
    if (firing.seq < from || firing.seq > to) continue;
    const up = firing.direction > 0;
    drawArrow(ink, camera.xOf(firing.seq + 0.5), up ? height - 9 : 9, firing.direction, 4);
  }

  const digits = Math.max(reach < 1 ? digitsFor(reach, 1) : 0, 0);
  const axis = camera.width + (model.config?.projection_horizons_ms.length ?? 0) * COLUMNS.horizon + 10;
  labels.put("0", axis, middle, "price");
  labels.put(signed(-reach, digits), axis, y(-reach) + 2, "price");
  const slot = ring.slotOf(ring.last);
  const value = slot >= 0 && ring.valid[slot] ? source.values[slot] : Number.NaN;
  const known = Number.isFinite(value) && (model.config?.serving?.signal ? true : ring.ready[slot] === 1);
  chip.hidden = !known;
  if (known) {
    setText(chip, signed(value, 2));
    chip.className = `strip-chip num ${Math.abs(value) < 0.005 ? "" : value > 0 ? "plus-fill" : "minus-fill"}`;
    setStyle(chip, "left", `${axis - 6}px`);
    const top = Math.min(height - 20, Math.max(2, y(value) - 9));
    // The chip gives way to the axis labels below it.
    setStyle(chip, "top", `${Math.min(top, middle - 24)}px`);
  }
}

function drawSpikes(ink: Ink, camera: Camera, model: Model, source: StripSource, y: (v: number) => number): void {
  const ring = model.ring;
  if (!ring) return;
  const [from, to] = camera.seqSpan;
  const zero = y(0);
  const width = Math.max(1, camera.pxPerBin * 0.85);
  for (let seq = Math.max(from, ring.first); seq <= Math.min(to, ring.last); seq += 1) {
    const slot = ring.slotOf(seq);
    const value = slot >= 0 && ring.valid[slot] ? source.values[slot] : 0;
    if (!(Math.abs(value) > 0.001)) continue;
    const strong = source.threshold === null || Math.abs(value) >= source.threshold;
    ink.fillStyle = value > 0 ? (strong ? INK.plus : INK.plusDeep) : strong ? INK.minus : INK.minusDeep;
    ink.fillRect(camera.xOf(seq), Math.min(zero, y(value)), width, Math.abs(y(value) - zero));
  }
}

function drawFilled(ink: Ink, camera: Camera, model: Model, source: StripSource, y: (v: number) => number): void {
  const ring = model.ring;
  if (!ring) return;
  const [from, to] = camera.seqSpan;
  const zero = y(0);
  const line = new Path2D();
  let open = false;
  const width = Math.max(1, camera.pxPerBin);
  for (let seq = Math.max(from, ring.first); seq <= Math.min(to, ring.last); seq += 1) {
    const slot = ring.slotOf(seq);
    const value = slot >= 0 && ring.valid[slot] ? source.values[slot] : Number.NaN;
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
