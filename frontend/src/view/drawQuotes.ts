/** Best ask, best bid and mid as steps over the map. Where bins share a pixel, the range they covered is drawn. */

import type { BinLog } from "../lib/bins";
import type { Camera } from "../lib/camera";
import type { Model } from "../stream/model";
import { INK } from "./ink";
import type { Pen } from "./pen";

type Ink = CanvasRenderingContext2D;
type Level = "bid" | "ask" | "mid";

function tickOf(bins: BinLog, level: Level, slot: number): number {
  if (level === "bid") return bins.bidTick[slot];
  if (level === "ask") return bins.askTick[slot];
  return (bins.bidTick[slot] + bins.askTick[slot]) / 2;
}

/** Path of a level through the valid bins in view, broken at every gap. */
function steps(camera: Camera, bins: BinLog, level: Level, place: (y: number) => number): Path2D {
  const path = new Path2D();
  const [from, to] = camera.seqSpan;
  let lastY = Number.NaN;
  for (let seq = Math.max(from, bins.first); seq <= Math.min(to, bins.last); seq += 1) {
    const slot = bins.validSlot(seq);
    if (slot < 0) {
      lastY = Number.NaN;
      continue;
    }
    const y = place(camera.yOf(tickOf(bins, level, slot)));
    const x = camera.xOf(seq);
    if (Number.isNaN(lastY)) path.moveTo(x, y);
    else if (y !== lastY) path.lineTo(x, y);
    path.lineTo(x + camera.pxPerBin, y);
    lastY = y;
  }
  return path;
}

/** The same where several bins share a pixel: first, lowest, highest and last of each pixel. */
function ranges(camera: Camera, bins: BinLog, level: Level, place: (y: number) => number): Path2D {
  const path = new Path2D();
  const [from, to] = camera.seqSpan;
  const end = Math.min(to, bins.last);
  let open = false;
  for (let seq = Math.max(from, bins.first); seq <= end; ) {
    const x = Math.floor(camera.xOf(seq));
    let low = Number.POSITIVE_INFINITY;
    let high = Number.NEGATIVE_INFINITY;
    let first = Number.NaN;
    let last = Number.NaN;
    let whole = true;
    const next = Math.max(seq + 1, Math.ceil(camera.right + (x + 1 - camera.width) / camera.pxPerBin));
    for (; seq < next && seq <= end; seq += 1) {
      const slot = bins.validSlot(seq);
      if (slot < 0) {
        whole = false;
        continue;
      }
      last = tickOf(bins, level, slot);
      if (Number.isNaN(first)) first = last;
      if (last < low) low = last;
      if (last > high) high = last;
    }
    if (Number.isNaN(first)) {
      open = false;
      continue;
    }
    const ys = [first, high, low, last].map((tick) => place(camera.yOf(tick)));
    if (!open || !whole) path.moveTo(x + 0.5, ys[0]);
    for (const y of ys) path.lineTo(x + 0.5, y);
    open = whole;
  }
  return path;
}

export function drawQuotes(ink: Ink, camera: Camera, model: Model, pen: Pen): void {
  const { bins } = model;
  if (!bins || bins.last < 0) return;
  ink.lineJoin = "miter";
  ink.lineCap = "butt";
  const dense = camera.pxPerBin < 1;
  const trace = dense ? ranges : steps;
  const cased = (level: Level, colour: string): void => {
    const path = trace(camera, bins, level, (y) => pen.snap(y));
    ink.strokeStyle = INK.casing;
    ink.lineWidth = pen.casing;
    ink.stroke(path);
    ink.strokeStyle = colour;
    ink.lineWidth = pen.line;
    ink.stroke(path);
  };
  if (!dense) {
    const hair = 1 / pen.dpr;
    const mid = trace(camera, bins, "mid", (y) => pen.snap(y, Math.max(1, hair)));
    ink.strokeStyle = INK.casing;
    ink.lineWidth = 3;
    ink.stroke(mid);
    ink.strokeStyle = INK.text;
    ink.lineWidth = 1;
    ink.setLineDash([1, 3]);
    // Dots stay with the market while the map scrolls.
    ink.lineDashOffset = camera.width - camera.right * camera.pxPerBin;
    ink.stroke(mid);
    ink.setLineDash([]);
  }
  cased("ask", INK.ask);
  cased("bid", INK.bid);
}
