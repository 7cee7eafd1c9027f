/** Under the strokes: grid lines, what lies outside the capture, gaps. Draws in CSS pixels. */

import { priceStep, timeStep } from "../lib/axis";
import type { Camera } from "../lib/camera";
import { etOffsetMs } from "../lib/clock";
import { count } from "../lib/format";
import type { Model } from "../stream/model";
import { INK, hatch } from "./ink";
import type { LabelLayer } from "./labels";

type Ink = CanvasRenderingContext2D;

/** Least distance of price and time labels. */
export const PRICE_PX = 30;
export const TIME_PX = 90;
/** Room a gap's label takes; where gaps crowd, not every one is labelled. */
const CHIP_PX = 118;
const CHIP_ROW_PX = 22;

/** Whole-second marks in view: x and UTC milliseconds. */
export function timeMarks(camera: Camera, model: Model, minPx: number): { x: number; ms: number }[] {
  if (!model.config || Number.isNaN(model.origin)) return [];
  const pxPerSecond = (camera.pxPerBin * 1000) / model.binMs;
  const stepMs = timeStep(pxPerSecond, minPx) * 1000;
  const leftMs = model.origin + (camera.right - camera.width / camera.pxPerBin) * model.binMs;
  const shift = etOffsetMs(leftMs);
  const marks: { x: number; ms: number }[] = [];
  for (let wall = Math.ceil((leftMs + shift) / stepMs) * stepMs; ; wall += stepMs) {
    const ms = wall - shift;
    const x = camera.xOf((ms - model.origin) / model.binMs);
    if (x > camera.width) return marks;
    marks.push({ x, ms });
  }
}

/** Ticks that carry a price label. */
export function priceMarks(camera: Camera, model: Model, minPx: number): number[] {
  const step = priceStep(model.tickSize, camera.pxPerTick, minPx);
  const [low, high] = camera.tickSpan;
  const marks: number[] = [];
  for (let tick = Math.ceil(low / step) * step; tick <= high; tick += step) marks.push(tick);
  return marks;
}

export function drawGrid(ink: Ink, camera: Camera, model: Model): void {
  ink.fillStyle = INK.grid;
  for (const { x } of timeMarks(camera, model, TIME_PX)) ink.fillRect(Math.round(x), 0, 1, camera.height);
  if (!camera.placed) return;
  for (const tick of priceMarks(camera, model, PRICE_PX)) ink.fillRect(0, Math.round(camera.yOf(tick)), camera.width, 1);
}

/** Before the capture's first bin and after its last there is nothing to wait for. */
export function drawOutside(ink: Ink, camera: Camera, model: Model): void {
  if (!model.config) return;
  const start = camera.xOf(0);
  const end = camera.xOf(model.session.nBins);
  ink.fillStyle = INK.zone;
  if (start > 0) ink.fillRect(0, 0, start, camera.height);
  if (end < camera.width) ink.fillRect(end, 0, camera.width - end, camera.height);
  ink.fillStyle = INK.line;
  if (start > 0) ink.fillRect(Math.round(start) - 1, 0, 1, camera.height);
  if (end < camera.width) ink.fillRect(Math.round(end), 0, 1, camera.height);
}

export interface GapBand {
  x: number;
  width: number;
  bins: number;
  /** False: the book was invalid. */
  missing: boolean;
}

/** Gaps in view: bins that the server skipped, and bins without a valid book. What was never asked for is no gap. */
export function gapBands(camera: Camera, model: Model): GapBand[] {
  const { bins } = model;
  if (!bins || bins.last < 0) return [];
  const [from, to] = camera.seqSpan;
  const bands: GapBand[] = [];
  for (const gap of bins.gaps(from, to)) {
    const missing = gap.kind === "missing";
    if (missing && model.droppedIn(gap.from, gap.to) === 0) continue;
    const x = Math.round(camera.xOf(gap.from));
    bands.push({ x, width: Math.max(3, Math.round(camera.xOf(gap.to + 1)) - x), bins: gap.to - gap.from + 1, missing });
  }
  return bands;
}

/** Gaps are hatched, never bridged. */
export function drawGaps(ink: Ink, camera: Camera, model: Model, labels: LabelLayer | null, height = camera.height): void {
  // Where chips of either row may begin.
  const free = [0, 0];
  for (const { x, width, bins, missing } of gapBands(camera, model)) {
    const colour = missing ? INK.warn : INK.error;
    ink.fillStyle = hatch(ink, colour);
    ink.fillRect(x, 0, width, height);
    ink.fillStyle = colour;
    ink.globalAlpha = 0.5;
    ink.fillRect(x, 0, 1, height);
    ink.fillRect(x + width - 1, 0, 1, height);
    ink.globalAlpha = 1;
    if (!labels || (!missing && width < 24)) continue;
    // Right of the gap, or left of it where now is too near.
    const right = Math.max(0, x + width) + 8;
    const left = x - 8 - CHIP_PX;
    const beside = right + CHIP_PX <= camera.width;
    const row = free.findIndex((until) => (beside ? right : left) >= until);
    if (row < 0) continue;
    free[row] = beside ? right + CHIP_PX : right;
    const text = missing ? `${count(bins)} ${bins === 1 ? "bin" : "bins"} dropped` : "book invalid";
    labels.put(text, beside ? right : x - 8, 10 + row * CHIP_ROW_PX, `chip ${missing ? "warn" : "error"}${beside ? "" : " before"}`);
  }
}
