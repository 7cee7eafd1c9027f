/**
 * Right of now: projected scores, one band per horizon. A cell is as tall as the horizons agree, and dim where it ran
 * into its bound: then it says a direction, not a size. On a map of amounts, whose colours say how much, the sign is
 * told by place instead: bars of plain ink, right of the band's middle for plus, left for minus.
 */

import type { Camera } from "../lib/camera";
import { lutColour, palette } from "../lib/colour";
import type { Model } from "../stream/model";
import { COLUMNS, INK } from "./ink";

type Ink = CanvasRenderingContext2D;

const ALPHA = [0.92, 0.66, 0.46, 0.3];
const CLIPPED_SHARE = 0.42;
const CLIPPED_AT = 0.995;
const LEAST = 0.02;

/** Strength of a band's ink at a score: later horizons and clipped scores are fainter. */
export function projectionAlpha(horizon: number, score: number): number {
  return (ALPHA[horizon] ?? ALPHA[ALPHA.length - 1]) * (Math.abs(score) >= CLIPPED_AT ? CLIPPED_SHARE : 1);
}

/** Share of a row's height where the horizons span [least, most]: full when they agree, a third when they oppose. */
export function agreement(least: number, most: number): number {
  return 1 - (2 / 3) * Math.min(1, (most - least) / 2);
}

export function drawProjection(ink: Ink, camera: Camera, model: Model, x: number, coloured: boolean): void {
  const { projections, spotTick } = model;
  const width = (model.config?.projection_horizons_ms.length ?? 4) * COLUMNS.horizon;
  ink.fillStyle = INK.zone;
  ink.fillRect(x, 0, width, camera.height);
  ink.fillStyle = INK.strong;
  ink.fillRect(x, 0, 1, camera.height);
  if (spotTick === null || projections.length === 0) return;
  const { diverging } = palette();
  const radius = (projections[0].length - 1) / 2;
  const [low, high] = camera.tickSpan;
  if (!coloured) {
    ink.fillStyle = INK.line;
    projections.forEach((_, i) => ink.fillRect(Math.round(x + (i + 0.5) * COLUMNS.horizon), 0, 1, camera.height));
  }
  for (let tick = Math.max(low, spotTick - radius); tick <= Math.min(high, spotTick + radius); tick += 1) {
    const row = tick - spotTick + radius;
    let least = 1;
    let most = -1;
    for (const scores of projections) {
      least = Math.min(least, scores[row]);
      most = Math.max(most, scores[row]);
    }
    if (Math.max(Math.abs(least), Math.abs(most)) < LEAST) continue;
    const height = Math.max(1, Math.max(1, camera.pxPerTick - 1) * agreement(least, most));
    const top = camera.yOf(tick) - height / 2;
    projections.forEach((scores, horizon) => {
      const score = scores[row];
      const alpha = projectionAlpha(horizon, score);
      const left = x + horizon * COLUMNS.horizon;
      if (coloured) {
        ink.fillStyle = lutColour(diverging, (score + 1) / 2, alpha);
        ink.fillRect(left + 1.5, top, COLUMNS.horizon - 2, height);
      } else if (Math.abs(score) >= LEAST) {
        const middle = Math.round(left + COLUMNS.horizon / 2);
        const reach = score * (COLUMNS.horizon / 2 - 1.5);
        ink.globalAlpha = alpha;
        ink.fillStyle = INK.second;
        ink.fillRect(Math.min(middle, middle + reach), top, Math.abs(reach), height);
        ink.globalAlpha = 1;
      }
    });
  }
}

/** Quotes carried on as thin lines from now to the axis. */
export function drawQuoteLeads(ink: Ink, camera: Camera, model: Model, to: number): void {
  const { bins } = model;
  const slot = bins?.validSlot(model.last) ?? -1;
  if (!bins || slot < 0) return;
  const from = Math.max(0, camera.xOf(model.last + 1));
  if (from >= to) return;
  for (const [tick, colour] of [[bins.askTick[slot], INK.ask], [bins.bidTick[slot], INK.bid]] as const) {
    ink.globalAlpha = 0.5;
    ink.fillStyle = colour;
    ink.fillRect(from, Math.round(camera.yOf(tick) - 0.5), to - from, 1);
  }
  ink.globalAlpha = 1;
}
