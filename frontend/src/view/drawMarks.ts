/** What happened on the map: trades, firings, now, and the cell under the crosshair. */

import { bubbleRadius } from "../lib/bubbles";
import type { Camera } from "../lib/camera";
import type { Model } from "../stream/model";
import { INK } from "./ink";

type Ink = CanvasRenderingContext2D;

/** Room for each bubble: a busier market shows only its larger trades. */
const PX_PER_BUBBLE = 8;
/** Firings closer than this to the last one drawn of their direction would cover it. */
const FIRING_PX = 6;

/** Trades, at most so many that the quotes stay visible. Returns the least lots that were drawn. */
export function drawBubbles(ink: Ink, camera: Camera, model: Model): number {
  const [from, to] = camera.seqSpan;
  const shown = Math.min(camera.width, camera.xOf(model.last + 1)) - Math.max(0, camera.xOf(model.bins?.first ?? 0));
  const { least, bubbles } = model.bubbles.visible(from - 20, to + 1, Math.ceil(Math.max(0, shown) / PX_PER_BUBBLE));
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

/** A triangle pointing the way of a firing; y is its tip. `casing` sets it off from the map. */
export function drawArrow(ink: Ink, x: number, y: number, direction: number, size = 4.5, casing = false): void {
  ink.beginPath();
  ink.moveTo(x, y);
  ink.lineTo(x - size, y + direction * size * 1.5);
  ink.lineTo(x + size, y + direction * size * 1.5);
  ink.closePath();
  if (casing) {
    ink.lineJoin = "round";
    ink.lineWidth = 3;
    ink.strokeStyle = INK.casingStrong;
    ink.stroke();
  }
  ink.fillStyle = direction > 0 ? INK.plusText : INK.minusText;
  ink.fill();
}

/** Firings at the price where they happened: below the bid when up, above the ask when down. */
export function drawFirings(ink: Ink, camera: Camera, model: Model): void {
  const { bins } = model;
  if (!bins) return;
  const [from, to] = camera.seqSpan;
  const lastX = { up: Number.NEGATIVE_INFINITY, down: Number.NEGATIVE_INFINITY };
  for (const { seq, direction } of model.firings) {
    if (seq < from || seq > to) continue;
    const slot = bins.validSlot(seq);
    if (slot < 0) continue;
    const x = camera.xOf(seq + 0.5);
    const way = direction > 0 ? "up" : "down";
    if (x - lastX[way] < FIRING_PX) continue;
    lastX[way] = x;
    const quote = camera.yOf(direction > 0 ? bins.bidTick[slot] : bins.askTick[slot]);
    const tip = quote + direction * 9;
    ink.fillStyle = INK.casingStrong;
    ink.fillRect(x - 1.5, Math.min(quote, tip), 3, 9);
    ink.fillStyle = direction > 0 ? INK.plusText : INK.minusText;
    ink.fillRect(x - 0.5, Math.min(quote, tip), 1, 9);
    drawArrow(ink, x, tip, direction, 4.5, true);
  }
}

/** The line of now, dashed while nothing comes: paused, ended, or the connection lost. */
export function drawNow(ink: Ink, camera: Camera, model: Model, paused: boolean): void {
  if (model.last < 0) return;
  const end = camera.xOf(model.last + 1);
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
  ink.strokeStyle = INK.casingStrong;
  ink.lineWidth = 3.5;
  ink.strokeRect(midX - width / 2, midY - height / 2, width, height);
  ink.strokeStyle = INK.text;
  ink.lineWidth = 1.5;
  ink.strokeRect(midX - width / 2, midY - height / 2, width, height);
}
