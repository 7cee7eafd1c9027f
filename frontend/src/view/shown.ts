/** What the map shows at a cell: the bin's own value, or the largest of the bins that share its pixel. */

import type { Camera } from "../lib/camera";
import { largest } from "../lib/ring";
import type { Model } from "../stream/model";

export interface ShownCell {
  /** First bin and number of bins behind the pixel. */
  from: number;
  bins: number;
  /** True where the value comes from the coarse map. */
  far: boolean;
}

/** Bins behind the pixel of a bin; the same choice as in the shader. */
export function shownCell(model: Model, camera: Camera, field: string, seq: number, dpr: number): ShownCell {
  const { ring, coarse } = model;
  const pooled = camera.pooled(dpr);
  const far = ring !== null && coarse !== null && coarse.has(field) && (pooled >= coarse.group || seq < ring.first);
  if (!far || !coarse) return { from: Math.floor(seq / pooled) * pooled, bins: pooled, far: false };
  const n = Math.max(1, Math.ceil(pooled / coarse.group));
  return { from: Math.floor(coarse.columnOf(seq) / n) * n * coarse.group, bins: n * coarse.group, far: true };
}

/** Value of a field behind a shown cell; NaN where the map has none. */
export function shownValue(model: Model, cell: ShownCell, field: string, tick: number): number {
  const { ring, coarse } = model;
  if (!ring || !coarse) return Number.NaN;
  if (cell.far) return largest(coarse, field, coarse.columnOf(cell.from), cell.bins / coarse.group, tick);
  return largest(ring, field, cell.from, cell.bins, tick);
}
