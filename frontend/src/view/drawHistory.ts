/** Strokes over the heatmap: grid, gaps, quotes, spot, trades, firings, now, crosshair. Draws in CSS pixels. */

import { bubbleRadius } from "../lib/bubbles";
import type { Camera } from "../lib/camera";
import { timeStep, priceStep } from "../lib/axis";
import { etOffsetMs } from "../lib/clock";
import type { Model } from "../stream/model";
import { INK, hatch } from "./ink";
import type { LabelLayer } from "./labels";

type Ink = CanvasRenderingContext2D;

/** Least distance of price labels. */
export const LABEL_PX = 30;

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
  for (const { x } of timeMarks(camera, model, 90)) ink.fillRect(Math.round(x), 0, 1, camera.height);
  for (const tick of priceMarks(camera, model, LABEL_PX)) ink.fillRect(0, Math.round(camera.yOf(tick)), camera.width, 1);
}

/** Room for each bubble: a busier market shows only its larger trades. */
const PX_PER_BUBBLE = 8;
/** Room a gap's label takes; where gaps crowd, not every one is labelled. */
const CHIP_PX = 118;

/** Bins that were skipped or had no valid book: hatched, never bridged. */
export function drawGaps(ink: Ink, camera: Camera, model: Model, labels: LabelLayer): void {
  const ring = model.ring;
  if (!ring || ring.last < 0) return;
  const [from, to] = camera.seqSpan;
  let free = 0;
  for (const gap of ring.gaps(from, to)) {
    const dropped = gap.kind === "missing" ? model.droppedIn(gap.from, gap.to) : 0;
    if (gap.kind === "missing" && dropped === 0) continue;
    const x = Math.round(camera.xOf(gap.from));
    const width = Math.max(3, Math.round(camera.xOf(gap.to + 1)) - x);
    const colour = gap.kind === "missing" ? INK.warn : INK.error;
    ink.fillStyle = hatch(ink, colour);
    ink.fillRect(x, 0, width, camera.height);
    ink.fillStyle = colour;
    ink.globalAlpha = 0.5;
    ink.fillRect(x, 0, 1, camera.height);
    ink.fillRect(x + width - 1, 0, 1, camera.height);
    ink.globalAlpha = 1;
    const bins = gap.to - gap.from + 1;
    const at = x + width + 8;
    if (at < free || at + CHIP_PX > camera.width || (gap.kind === "invalid" && width < 24)) continue;
    free = at + CHIP_PX;
    if (gap.kind === "missing") labels.put(`${bins} ${bins === 1 ? "bin" : "bins"} dropped`, at, 10, "chip warn");
    else labels.put("book invalid", at, 10, "chip error");
  }
}

type Level = "bid" | "ask" | "mid";

/** Steps of a quote through the valid bins in view; broken at every gap. */
function trace(ink: Ink, camera: Camera, model: Model, level: Level): void {
  const ring = model.ring;
  if (!ring) return;
  const [from, to] = camera.seqSpan;
  const pixel = (y: number): number => Math.round(y - 0.5) + 0.5;
  let lastY = Number.NaN;
  ink.beginPath();
  for (let seq = Math.max(from, ring.first); seq <= Math.min(to, ring.last); seq += 1) {
    const slot = ring.slotOf(seq);
    if (slot < 0 || !ring.valid[slot]) {
      lastY = Number.NaN;
      continue;
    }
    const { bidTick, askTick } = ring;
    const tick = level === "bid" ? bidTick[slot] : level === "ask" ? askTick[slot] : (bidTick[slot] + askTick[slot]) / 2;
    const y = pixel(camera.yOf(tick));
    const x = camera.xOf(seq);
    if (Number.isNaN(lastY)) ink.moveTo(x, y);
    else if (y !== lastY) ink.lineTo(x, y);
    ink.lineTo(x + camera.pxPerBin, y);
    lastY = y;
  }
}

export function drawQuotes(ink: Ink, camera: Camera, model: Model): void {
  if (!model.ring || model.ring.last < 0) return;
  ink.lineJoin = "miter";
  ink.lineCap = "butt";
  const cased = (level: Level, colour: string): void => {
    trace(ink, camera, model, level);
    ink.strokeStyle = INK.casing;
    ink.lineWidth = 3.5;
    ink.stroke();
    ink.strokeStyle = colour;
    ink.lineWidth = 1.5;
    ink.stroke();
  };
  trace(ink, camera, model, "mid");
  ink.strokeStyle = INK.casing;
  ink.lineWidth = 2.5;
  ink.stroke();
  ink.strokeStyle = INK.text;
  ink.lineWidth = 1;
  ink.setLineDash([1, 3]);
  // Dots stay with the market while the map scrolls.
  ink.lineDashOffset = camera.width - camera.right * camera.pxPerBin;
  ink.stroke();
  ink.setLineDash([]);
  cased("ask", INK.ask);
  cased("bid", INK.bid);
}

/** Trades, at most so many that the quotes stay visible. Returns the least lots that were drawn. */
export function drawBubbles(ink: Ink, camera: Camera, model: Model): number {
  const [from, to] = camera.seqSpan;
  const { least, bubbles } = model.bubbles.visible(from - 20, to + 1, Math.ceil(camera.width / PX_PER_BUBBLE));
  for (const bubble of bubbles) {
    const x = camera.xOf((bubble.seq + bubble.lastSeq + 1) / 2);
    const y = camera.yOf(bubble.tick);
    const r = bubbleRadius(bubble.lots);
    const disc = (radius: number, colour: string): void => {
      ink.beginPath();
      ink.arc(x, y, radius, 0, 2 * Math.PI);
      ink.fillStyle = colour;
      ink.fill();
    };
    disc(r + 1.25, INK.casingStrong);
    disc(r, bubble.side > 0 ? INK.bought : bubble.side < 0 ? INK.sold : INK.second);
    if (bubble.side < 0) disc(0.55 * r, INK.soldCore);
  }
  return least;
}

/** A triangle pointing the way of a firing; y is its tip. */
export function drawArrow(ink: Ink, x: number, y: number, direction: number, size = 4.5): void {
  ink.beginPath();
  ink.moveTo(x, y);
  ink.lineTo(x - size, y + direction * size * 1.5);
  ink.lineTo(x + size, y + direction * size * 1.5);
  ink.closePath();
  ink.fillStyle = direction > 0 ? INK.plusText : INK.minusText;
  ink.fill();
}

/** Firings at the price where they happened, a little off the quotes. */
export function drawFirings(ink: Ink, camera: Camera, model: Model): void {
  const ring = model.ring;
  if (!ring) return;
  const [from, to] = camera.seqSpan;
  for (const { seq, direction } of model.firings) {
    if (seq < from || seq > to) continue;
    const slot = ring.slotOf(seq);
    if (slot < 0 || !ring.valid[slot]) continue;
    const quote = direction > 0 ? ring.bidTick[slot] : ring.askTick[slot];
    const x = camera.xOf(seq + 0.5);
    const y = camera.yOf(quote) + direction * 16;
    ink.save();
    ink.shadowColor = INK.casingStrong;
    ink.shadowBlur = 3;
    drawArrow(ink, x, y, direction);
    ink.restore();
  }
}

/** The line of now, dashed while paused. */
export function drawNow(ink: Ink, camera: Camera, model: Model, paused: boolean): void {
  const ring = model.ring;
  if (!ring || ring.last < 0) return;
  const end = camera.xOf(ring.last + 1);
  if (end < 0 || end > camera.width + 1) return;
  const x = Math.min(camera.width - 0.75, end);
  ink.beginPath();
  ink.moveTo(x, 0);
  ink.lineTo(x, camera.height);
  ink.strokeStyle = INK.text;
  ink.lineWidth = 1.5;
  ink.setLineDash(paused ? [5, 4] : []);
  ink.stroke();
  ink.setLineDash([]);
}

export interface Cell {
  seq: number;
  tick: number;
}

/** Dashed lines through a cell, and the cell itself. `reach` is how far the horizontal one runs. */
export function drawCrosshair(ink: Ink, camera: Camera, cell: Cell, reach: number): void {
  const x = camera.xOf(cell.seq);
  const y = camera.yOf(cell.tick);
  const midX = Math.round(x + camera.pxPerBin / 2) + 0.5;
  const midY = Math.round(y) + 0.5;
  ink.strokeStyle = INK.crosshair;
  ink.lineWidth = 1;
  ink.setLineDash([4, 3]);
  ink.beginPath();
  ink.moveTo(midX, 0);
  ink.lineTo(midX, camera.height);
  ink.moveTo(0, midY);
  ink.lineTo(reach, midY);
  ink.stroke();
  ink.setLineDash([]);
  const width = Math.max(camera.pxPerBin, 8);
  const height = Math.max(camera.pxPerTick, 8);
  ink.strokeStyle = INK.text;
  ink.lineWidth = 1.5;
  ink.strokeRect(midX - width / 2, midY - height / 2, width, height);
}
