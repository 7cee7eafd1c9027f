/**
 * Best ask, best bid and mid as steps over the map. Where bins share a pixel, the range they covered is drawn. Narrow
 * bins of a fast market jump more often than they rest: their jumps are hairlines then, so that the levels stay legible
 * and the map shows through.
 */

import type { BinLog } from "../lib/bins";
import type { Camera } from "../lib/camera";
import type { Model } from "../stream/model";
import { INK } from "./ink";
import type { Pen } from "./pen";

type Ink = CanvasRenderingContext2D;
type Level = "bid" | "ask" | "mid";

/** Below this width of a bin its jumps are hairlines. */
const NARROW_PX = 3;
const JUMP_ALPHA = 0.55;

/** Levels, and the jumps between them where these are drawn apart. */
interface Trace {
  levels: Path2D;
  jumps: Path2D | null;
}

function tickOf(bins: BinLog, level: Level, slot: number): number {
  if (level === "bid") return bins.bidTick[slot];
  if (level === "ask") return bins.askTick[slot];
  return (bins.bidTick[slot] + bins.askTick[slot]) / 2;
}

/** A level through the valid bins in view, broken at every gap. */
function steps(camera: Camera, bins: BinLog, level: Level, place: (y: number) => number): Trace {
  const path = new Path2D();
  const jumps = camera.pxPerBin < NARROW_PX ? new Path2D() : null;
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
    else if (y !== lastY) {
      jumps?.moveTo(Math.round(x) + 0.5, lastY);
      jumps?.lineTo(Math.round(x) + 0.5, y);
      if (jumps) path.moveTo(x, y);
      else path.lineTo(x, y);
    }
    path.lineTo(x + camera.pxPerBin, y);
    lastY = y;
  }
  return { levels: path, jumps };
}

/** The same where several bins share a pixel: the last of each pixel, and as jumps what they covered. */
function ranges(camera: Camera, bins: BinLog, level: Level, place: (y: number) => number): Trace {
  const path = new Path2D();
  const jumps = new Path2D();
  const [from, to] = camera.seqSpan;
  const end = Math.min(to, bins.last);
  let open = false;
  for (let seq = Math.max(from, bins.first); seq <= end; ) {
    const x = Math.floor(camera.xOf(seq));
    let low = Number.POSITIVE_INFINITY;
    let high = Number.NEGATIVE_INFINITY;
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
      if (last < low) low = last;
      if (last > high) high = last;
    }
    if (Number.isNaN(last)) {
      open = false;
      continue;
    }
    const y = place(camera.yOf(last));
    if (open) path.lineTo(x + 0.5, y);
    else path.moveTo(x + 0.5, y);
    if (high > low) {
      jumps.moveTo(x + 0.5, place(camera.yOf(high)));
      jumps.lineTo(x + 0.5, place(camera.yOf(low)));
    }
    open = whole;
  }
  return { levels: path, jumps };
}

export function drawQuotes(ink: Ink, camera: Camera, model: Model, pen: Pen): void {
  const { bins } = model;
  if (!bins || bins.last < 0) return;
  ink.lineJoin = "miter";
  ink.lineCap = "butt";
  const dense = camera.pxPerBin < 1;
  const trace = dense ? ranges : steps;
  const cased = (level: Level, colour: string): void => {
    const { levels, jumps } = trace(camera, bins, level, (y) => pen.snap(y));
    ink.strokeStyle = INK.casing;
    ink.lineWidth = pen.casing;
    ink.stroke(levels);
    if (jumps) {
      ink.lineWidth = 3;
      ink.stroke(jumps);
    }
    ink.strokeStyle = colour;
    if (jumps) {
      ink.globalAlpha = JUMP_ALPHA;
      ink.lineWidth = 1;
      ink.stroke(jumps);
      ink.globalAlpha = 1;
    }
    ink.lineWidth = pen.line;
    ink.stroke(levels);
  };
  if (!dense) {
    const hair = 1 / pen.dpr;
    const { levels: mid } = trace(camera, bins, "mid", (y) => pen.snap(y, Math.max(1, hair)));
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
